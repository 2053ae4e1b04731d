//! This file's job is to give each e-mail address one form, so that no two accounts belong to one mailbox or look alike.

use crate::error::Invalid;
use std::sync::Arc;

/// RFC 5321, 4.5.3.1.1.
const LOCAL_MAX_BYTES: usize = 64;
/// RFC 5321, 4.5.3.1.3: what fits in a path of 256 bytes.
const ADDRESS_MAX_BYTES: usize = 254;
const RULE: &str = "must be an address such as name@example.com, with only ASCII letters before the @";

/// An e-mail address in its one form: ASCII, lower case, the domain as it stands in the DNS.
///
/// Before the `@` only the letters, digits and signs of RFC 5322's dot-atom are taken: mailboxes with other letters are rare, and
/// look-alikes such as a Cyrillic `а` are not. Domains of other scripts become `xn--…`, which looks like no other domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(Arc<str>);

impl EmailAddress {
    /// Returns the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what follows the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for EmailAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        normalise(text.trim()).map(|text| Self(text.into())).ok_or(Invalid::new("EmailAddress", RULE))
    }
}

fn normalise(text: &str) -> Option<String> {
    // Longer text is refused before any work is done with it.
    let (local, domain) = (text.len() <= ADDRESS_MAX_BYTES).then_some(text)?.rsplit_once('@')?;
    let atoms_fit = local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_byte));
    if local.len() > LOCAL_MAX_BYTES || !atoms_fit {
        return None;
    }
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let text = format!("{}@{domain}", local.to_ascii_lowercase());
    (!domain.is_empty() && !domain.ends_with('.') && text.len() <= ADDRESS_MAX_BYTES).then_some(text)
}

/// The characters of an atom (RFC 5322, 3.2.3).
fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        text.parse::<EmailAddress>().ok().map(|address| address.to_string())
    }

    #[test]
    fn spellings_of_one_mailbox_are_one_address() {
        for text in ["Pat@Example.COM", " pat@example.com\n", "pat@ｅｘａｍｐｌｅ.com", "PAT@example。com"] {
            assert_eq!(parse(text).as_deref(), Some("pat@example.com"), "{text}");
        }
        assert_eq!(parse("owner@localhost").as_deref(), Some("owner@localhost"));
    }

    #[test]
    fn look_alikes_are_refused_or_look_different() {
        assert_eq!(parse("p\u{0430}t@example.com"), None, "a Cyrillic letter before the @");
        let domain = parse("pat@ex\u{0430}mple.com").unwrap();
        assert!(domain.starts_with("pat@xn--"), "{domain}");
    }

    #[test]
    fn what_no_mailbox_has_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "a.".repeat(130));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a..b@c",
            ".a@c",
            "a@b@c d",
            "a@b..c",
            "a@-b.com",
            "a@b.com.",
            "a\r\nBcc: x@y",
            "a@[::1]",
            &long_local,
            &long,
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
