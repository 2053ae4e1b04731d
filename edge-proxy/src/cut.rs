//! This file's job is to cut texts in two, with a search that is cheap to begin: most texts here are short.

/// Returns what is before the first `separator`, and what is behind it; all of the text when there is none.
///
/// The separator must be ASCII.
pub(crate) fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    match memchr::memchr(separator, text.as_bytes()) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cutting_is_splitting_once(text in "[a-zé.]{0,20}") {
            prop_assert_eq!(cut(&text, b'.'), text.split_once('.').map_or((&*text, None), |(a, b)| (a, Some(b))));
        }
    }
}
