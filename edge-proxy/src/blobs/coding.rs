//! This file's job is to choose what is sent in the place of a file: a compressed form, or a patch when the client has the base and asks as
//! RFC 9842 says ("Compression Dictionary Transport").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Sha256;
use domain::bundle::{self, Blob};
use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName};
use std::sync::Arc;

const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Brotli with a dictionary.
    Dcb,
    /// Zstandard with a dictionary.
    Dcz,
    /// One that needs no dictionary.
    Alone(bundle::Coding),
}

impl Coding {
    const WITH_DICTIONARY: [Self; 2] = [Self::Dcb, Self::Dcz];

    /// Returns its name; for one with a dictionary that is also the name of the patches' format.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dcb => "dcb",
            Self::Dcz => "dcz",
            Self::Alone(coding) => coding.as_str(),
        }
    }

    /// Returns the coding of patches of this format; none of those that HTTP does not know.
    pub(crate) fn of_format(format: &str) -> Option<Self> {
        Self::WITH_DICTIONARY.into_iter().find(|coding| coding.as_str() == format)
    }
}

/// What a file can be sent as.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forms {
    /// Launch files are dictionaries for later ones.
    pub(crate) is_launch: bool,
    pub(crate) coded: Vec<Arc<Coded>>,
}

/// A file, encoded.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) coding: Coding,
    /// SHA-256 of the dictionary.
    pub(crate) base: Option<Sha256>,
    /// The encoded bytes.
    pub(crate) blob: Arc<Blob>,
}

/// Returns the smallest of these that the client can decode.
pub(crate) fn choose(headers: &HeaderMap, coded: &[Arc<Coded>]) -> Option<Arc<Coded>> {
    if coded.is_empty() || !headers.contains_key(ACCEPT_ENCODING) {
        return None;
    }
    let base = available_dictionary(headers);
    let fitting = coded.iter().filter(|one| match one.base {
        Some(_) => one.base == base && accepts(headers, one.coding, Star::Nothing),
        None => accepts(headers, one.coding, Star::Anything) && is_begun(headers, &one.blob),
    });
    fitting.min_by_key(|one| one.blob.size_bytes).cloned()
}

/// Says whether a part that the client asks for can be one of this form: it is when it names the form by its tag. Many clients decode
/// without knowing, and count the bytes that they have in those of the file; their parts are parts of the file.
fn is_begun(headers: &HeaderMap, blob: &Blob) -> bool {
    let tag = || headers.get(IF_RANGE).and_then(|tag| tag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"'));
    !headers.contains_key(RANGE) || tag() == Some(blob.sha256.to_hex().as_str())
}

/// Reads the header, a byte sequence of RFC 9651: the hash of what the client has. What is malformed counts as absent.
fn available_dictionary(headers: &HeaderMap) -> Option<Sha256> {
    let mut values = headers.get_all(AVAILABLE_DICTIONARY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let encoded = value.to_str().ok()?.trim().strip_prefix(':')?.strip_suffix(':')?;
    let bytes: [u8; 32] = STANDARD.decode(encoded).ok()?.try_into().ok()?;
    Some(Sha256::from_bytes(bytes))
}

/// What a star in Accept-Encoding stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Star {
    /// Whatever is not named.
    Anything,
    /// Not for codings that need a dictionary.
    Nothing,
}

/// Says whether Accept-Encoding allows the coding.
fn accepts(headers: &HeaderMap, coding: Coding, star: Star) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut by_star = false;
    for part in values.flat_map(|value| value.split(',')) {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let is_allowed = !is_zero(weight.trim());
        if name.trim().eq_ignore_ascii_case(coding.as_str()) {
            return is_allowed;
        }
        by_star |= name.trim() == "*" && is_allowed;
    }
    by_star && star == Star::Anything
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
        Arc::new(Coded { coding, base: Some(Sha256::of(base)), blob: Arc::new(blob) })
    }

    fn alone(coding: bundle::Coding, size_bytes: u64) -> Arc<Coded> {
        let blob = Blob { size_bytes, ..Blob::of(coding.as_str().as_bytes()) };
        Arc::new(Coded { coding: Coding::Alone(coding), base: None, blob: Arc::new(blob) })
    }

    fn all() -> [Arc<Coded>; 4] {
        let [brotli, zstandard, gzip] = [bundle::Coding::Brotli, bundle::Coding::Zstandard, bundle::Coding::Gzip];
        [alone(brotli, 50), alone(zstandard, 60), alone(gzip, 70), coded(Coding::Dcz, b"a", 9)]
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
    fn whoever_has_no_dictionary_gets_the_smallest_form_that_it_decodes() {
        let chosen = |accept: &str| choose(&headers(accept, ""), &all()).map(|one| one.coding.as_str());
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip, deflate, zstd", Some("zstd")),
            ("GZIP", Some("gzip")),
            ("*", Some("br")),
            ("br;q=0, *", Some("zstd")),
            ("*;q=0, gzip;q=0.1", Some("gzip")),
            ("identity", None),
            ("deflate, compress", None),
            ("br;q=0", None),
            ("", None),
        ] {
            assert_eq!(chosen(accept), expected, "{accept}");
        }
        assert!(choose(&HeaderMap::new(), &all()).is_none(), "not a word is no wish");
        let with_base = headers("br, dcz", &dictionary(b"a"));
        assert_eq!(choose(&with_base, &all()).map(|one| one.coding), Some(Coding::Dcz));
    }

    #[test]
    fn a_part_is_one_of_the_file_unless_the_client_names_the_form() {
        let mut headers = headers("br, gzip", "");
        headers.insert(RANGE, HeaderValue::from_static("bytes=5-"));
        assert!(choose(&headers, &all()).is_none());
        headers.insert(IF_RANGE, HeaderValue::from_str(&format!("\"{}\"", Sha256::of(b"gzip"))).unwrap());
        assert_eq!(choose(&headers, &all()).map(|one| one.coding.as_str()), Some("gzip"));
        headers.insert(IF_RANGE, HeaderValue::from_str(&format!("\"{}\"", Sha256::of(b"file"))).unwrap());
        assert!(choose(&headers, &all()).is_none());
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
                prop_assert_eq!(chosen.base, Some(Sha256::of(&[base])));
                prop_assert!(accept.to_ascii_lowercase().contains(chosen.coding.as_str()));
            }
        }

        #[test]
        fn whatever_headers_say_no_form_is_sent_that_they_do_not_allow(
            accept in "((br|zstd|gzip|identity|\\*|[ -~])(;q=(0|0\\.5|1|[ -~]))?,? ?){0,5}", has_range in any::<bool>(),
        ) {
            let mut asked = headers(&accept, "");
            if has_range {
                asked.insert(RANGE, HeaderValue::from_static("bytes=0-1"));
            }
            if let Some(chosen) = choose(&asked, &all()) {
                let accept = accept.to_ascii_lowercase();
                prop_assert!(!has_range && chosen.base.is_none());
                prop_assert!(accept.contains(chosen.coding.as_str()) || accept.contains('*'));
            }
        }
    }
}
