//! This file's job is to choose a patch in place of a launch file, when the client has the base and asks as RFC 9842 says
//! ("Compression Dictionary Transport").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Sha256;
use domain::bundle::Blob;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderName};
use std::sync::Arc;

const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");

/// A content coding that needs a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Brotli with a dictionary.
    Dcb,
    /// Zstandard with a dictionary.
    Dcz,
}

impl Coding {
    const ALL: [Self; 2] = [Self::Dcb, Self::Dcz];

    /// Returns its name, which is also that of the patches' format.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dcb => "dcb",
            Self::Dcz => "dcz",
        }
    }

    /// Returns the coding of patches of this format; none of those that HTTP does not know.
    pub(crate) fn of_format(format: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|coding| coding.as_str() == format)
    }
}

/// A launch file, encoded with another one as the dictionary.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) coding: Coding,
    /// SHA-256 of the dictionary.
    pub(crate) base: Sha256,
    /// The encoded bytes.
    pub(crate) blob: Arc<Blob>,
}

/// Returns the smallest of these that the client can decode.
pub(crate) fn choose(headers: &HeaderMap, coded: &[Arc<Coded>]) -> Option<Arc<Coded>> {
    let base = available_dictionary(headers)?;
    let fitting = coded.iter().filter(|one| one.base == base && accepts(headers, one.coding.as_str()));
    fitting.min_by_key(|one| one.blob.size_bytes).cloned()
}

/// Reads the header, a byte sequence of RFC 9651: the hash of what the client has. What is malformed counts as absent.
fn available_dictionary(headers: &HeaderMap) -> Option<Sha256> {
    let mut values = headers.get_all(AVAILABLE_DICTIONARY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let encoded = value.to_str().ok()?.trim().strip_prefix(':')?.strip_suffix(':')?;
    let bytes: [u8; 32] = STANDARD.decode(encoded).ok()?.try_into().ok()?;
    Some(Sha256::from_bytes(bytes))
}

/// Says whether Accept-Encoding names the coding. A star does not stand for codings that need a dictionary.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        name.trim().eq_ignore_ascii_case(coding) && !is_zero(weight.trim())
    })
}

fn is_zero(weight: &str) -> bool {
    let Some((_, number)) = weight.split_once('=') else { return false };
    number.trim().parse::<f32>().is_ok_and(|number| number == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn coded(coding: Coding, base: &[u8], size_bytes: u64) -> Arc<Coded> {
        let blob = Blob { size_bytes, ..Blob::of(b"patch") };
        Arc::new(Coded { coding, base: Sha256::of(base), blob: Arc::new(blob) })
    }

    fn headers(accept: &str, dictionary: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap());
        headers.insert(AVAILABLE_DICTIONARY, HeaderValue::from_str(dictionary).unwrap());
        headers
    }

    fn dictionary(base: &[u8]) -> String {
        format!(":{}:", STANDARD.encode(Sha256::of(base).as_bytes()))
    }

    #[test]
    fn the_smallest_that_the_client_decodes_from_what_it_has_is_chosen() {
        let known = [coded(Coding::Dcz, b"a", 9), coded(Coding::Dcb, b"a", 7), coded(Coding::Dcz, b"b", 1)];
        let chosen = |accept: &str, dictionary: &str| {
            choose(&headers(accept, dictionary), &known).map(|one| (one.coding, one.blob.size_bytes))
        };
        let (a, b) = (dictionary(b"a"), dictionary(b"b"));
        assert_eq!(chosen("gzip, dcz , dcb", &a), Some((Coding::Dcb, 7)));
        assert_eq!(chosen("DCZ;q=0.5, dcb; q=0.000", &a), Some((Coding::Dcz, 9)));
        assert_eq!(chosen("dcb, dcz", &b), Some((Coding::Dcz, 1)));
        assert_eq!(chosen("dcb", &b), None);
        assert_eq!(chosen("*, gzip", &a), None);
        assert_eq!(chosen("dcb, dcz", &dictionary(b"c")), None);
        for malformed in ["", ":", "::", ":AAAA:", &a[1..], &a[..a.len() - 1], &format!("{a}, {a}"), "\"x\""] {
            assert_eq!(chosen("dcb, dcz", malformed), None, "{malformed}");
        }
    }

    #[test]
    fn two_dictionaries_count_as_none() {
        let mut headers = headers("dcz", &dictionary(b"a"));
        headers.append(AVAILABLE_DICTIONARY, HeaderValue::from_str(&dictionary(b"b")).unwrap());
        assert!(choose(&headers, &[coded(Coding::Dcz, b"a", 9)]).is_none());
    }

    #[test]
    fn a_format_that_is_no_content_coding_has_none() {
        assert_eq!(Coding::of_format("dcb"), Some(Coding::Dcb));
        assert_eq!(Coding::of_format("bsdiff40"), None);
    }

    proptest! {
        #[test]
        fn whatever_headers_say_only_what_fits_the_named_base_is_chosen(
            accept in "(dcb|dcz|gzip|\\*|[ -~]){0,6}", before in "[ -~]{0,3}", base in 0_u8..3, after in "[ -~]{0,3}",
        ) {
            let known = [coded(Coding::Dcz, &[0], 9), coded(Coding::Dcb, &[1], 7)];
            let text = format!("{before}{}{after}", dictionary(&[base]));
            if let Some(chosen) = choose(&headers(&accept, &text), &known) {
                prop_assert_eq!(chosen.base, Sha256::of(&[base]));
                prop_assert!(accept.to_ascii_lowercase().contains(chosen.coding.as_str()));
            }
        }
    }
}
