//! This file's job is to shorten runs, bzip2's first step: four equal bytes are followed by how many more there were.

/// The longest run that four bytes and a count stand for.
const RUN_MAX: usize = 255;
const RUN_MIN: usize = 4;

/// Shortens the runs.
pub(super) fn shorten(bytes: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(bytes.len());
    for (byte, length) in runs(bytes) {
        short.extend(std::iter::repeat_n(byte, length.min(RUN_MIN)));
        if length >= RUN_MIN {
            short.push((length - RUN_MIN) as u8);
        }
    }
    short
}

/// Returns how many of the first bytes shorten to at most `size_bytes`.
pub(super) fn prefix_that_fits(bytes: &[u8], size_bytes: usize) -> usize {
    let (mut taken, mut short) = (0, 0);
    for (_, length) in runs(bytes) {
        short += if length < RUN_MIN { length } else { RUN_MIN + 1 };
        if short > size_bytes {
            break;
        }
        taken += length;
    }
    taken
}

/// Lists runs of at most [`RUN_MAX`] bytes.
fn runs(bytes: &[u8]) -> impl Iterator<Item = (u8, usize)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let &byte = rest.first()?;
        let length = rest.iter().take(RUN_MAX).take_while(|&&other| other == byte).count();
        rest = &rest[length..];
        Some((byte, length))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_four_and_more_get_a_count() {
        assert_eq!(shorten(b"aaabbbb"), b"aaabbbb\0");
        assert_eq!(shorten(&[7; 255]), [7, 7, 7, 7, 251]);
        assert_eq!(shorten(&[7; 256]), [7, 7, 7, 7, 251, 7]);
    }

    #[test]
    fn a_prefix_fits_after_shortening() {
        assert_eq!(prefix_that_fits(&[0; 1_000], 10), 510);
        assert_eq!(prefix_that_fits(b"abcdef", 3), 3);
    }
}
