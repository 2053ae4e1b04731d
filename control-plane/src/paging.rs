//! This file's job is to make page tokens that work only for the caller and the list that they were made for.

use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::OrganizationId;
use ring::hmac;
use std::str::FromStr;

/// What a list returns when the request does not say how much.
const PAGE_DEFAULT: u32 = 50;
/// What the contract promises at most; the database returns one row more, which shows whether there is a next page.
const PAGE_MAX: u32 = db::PAGE_MAX - 1;
/// Longer texts are no tokens of ours.
const TOKEN_MAX_BYTES: usize = 512;
const MAC_BYTES: usize = 32;

/// The list that a token belongs to.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// The RPC's name.
    pub method: &'static str,
    /// The parent as the request wrote it.
    pub parent: &'a str,
    /// The caller's organization.
    pub organization: &'a OrganizationId,
}

/// Makes and reads page tokens. All replicas have the same key.
#[derive(Clone)]
pub struct PageTokens(hmac::Key);

/// Where a page begins and how long it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<P> {
    /// The last item of the page before.
    pub after: Option<P>,
    /// At most so many items.
    pub limit: u32,
}

impl PageTokens {
    /// Makes the key from the installation's pepper.
    #[must_use]
    pub fn new(pepper: &[u8]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pepper), b"page tokens");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    fn message(list: List<'_>, position: &str) -> Vec<u8> {
        // None of the parts can hold a NUL: names are checked, ids are ASCII.
        [list.method, list.parent, list.organization.as_str(), position].join("\0").into_bytes()
    }

    /// Returns the token of the page behind `position`.
    #[must_use]
    pub fn write(&self, list: List<'_>, position: &str) -> String {
        let mac = hmac::sign(&self.0, &Self::message(list, position));
        URL_SAFE_NO_PAD.encode([mac.as_ref(), position.as_bytes()].concat())
    }

    /// Reads a request's page size and token.
    ///
    /// # Errors
    /// Invalid argument when the size is negative, or when the token was changed or made for another caller or list.
    pub fn read<P: FromStr>(&self, list: List<'_>, size: i32, token: &str) -> Result<Page<P>, Error> {
        let limit = match u32::try_from(size) {
            Ok(0) => PAGE_DEFAULT,
            Ok(size) => size.min(PAGE_MAX),
            Err(_) => return Err(Error::field("page_size", "must not be negative")),
        };
        if token.is_empty() {
            return Ok(Page { after: None, limit });
        }
        let after = self.position(list, token).ok_or_else(Error::page_token)?;
        Ok(Page { after: Some(after), limit })
    }

    /// Cuts the rows to the page and returns the token of the next page; empty at the end.
    pub fn finish<P, T>(
        &self,
        list: List<'_>,
        page: &Page<P>,
        rows: &mut Vec<T>,
        position: impl Fn(&T) -> String,
    ) -> String {
        page.cut(rows, position).map(|position| self.write(list, &position)).unwrap_or_default()
    }

    fn position<P: FromStr>(&self, list: List<'_>, token: &str) -> Option<P> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, position) = bytes.split_at_checked(MAC_BYTES)?;
        let position = std::str::from_utf8(position).ok()?;
        hmac::verify(&self.0, &Self::message(list, position), mac).ok()?;
        position.parse().ok()
    }
}

impl<P> Page<P> {
    /// Returns how many rows to ask the database for: one more shows whether there is a next page.
    #[must_use]
    pub const fn probe(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// Cuts the rows to the page and says behind which row the next page begins.
    fn cut<T>(&self, rows: &mut Vec<T>, position: impl Fn(&T) -> String) -> Option<String> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        rows.last().filter(|_| more).map(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;

    fn organization(number: u8) -> OrganizationId {
        OrganizationId::from_parts(Timestamp::from_us(1), [number; 10])
    }

    #[test]
    fn a_token_works_for_its_caller_method_and_parent_only() {
        let tokens = PageTokens::new(b"pepper");
        let (ours, theirs) = (organization(1), organization(2));
        let list = List { method: "ListApps", parent: "apps/a", organization: &ours };
        let token = tokens.write(list, "position");
        assert_eq!(tokens.read::<String>(list, 0, &token).expect("valid").after.as_deref(), Some("position"));
        for other in [
            List { method: "ListUploads", ..list },
            List { parent: "apps/b", ..list },
            List { organization: &theirs, ..list },
        ] {
            assert!(tokens.read::<String>(other, 0, &token).is_err());
        }
        assert!(PageTokens::new(b"other").read::<String>(list, 0, &token).is_err());
        assert!(tokens.read::<String>(list, 0, &token[1..]).is_err());
        assert!(tokens.read::<String>(list, 0, "é").is_err());
    }

    #[test]
    fn sizes_are_defaulted_and_capped_but_never_negative() {
        let tokens = PageTokens::new(b"pepper");
        let ours = organization(1);
        let list = List { method: "ListApps", parent: "", organization: &ours };
        let limit = |size| tokens.read::<String>(list, size, "").map(|page| page.limit);
        assert_eq!(limit(0).ok(), Some(PAGE_DEFAULT));
        assert_eq!(limit(1_000).ok(), Some(1_000));
        assert_eq!(limit(5_000).ok(), Some(1_000));
        assert!(limit(-1).is_err());
    }

    #[test]
    fn a_full_last_page_has_no_successor() {
        let page = Page::<String> { after: None, limit: 2 };
        let mut rows = vec![1, 2];
        assert_eq!(page.cut(&mut rows, ToString::to_string), None);
        let mut rows = vec![1, 2, 3];
        assert_eq!(page.cut(&mut rows, ToString::to_string), Some("2".into()));
        assert_eq!(rows, [1, 2]);
    }
}
