//! This file's job is to read a Range header.

/// What a device asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Everything: there is no range, or none that is understood (several ranges count as that).
    Whole,
    /// These bytes, which exist.
    Part(std::ops::Range<u64>),
    /// Bytes that do not exist.
    Unsatisfiable,
}

/// Reads `bytes=a-b`, `bytes=a-` or `bytes=-n` (RFC 9110, section 14).
pub(crate) fn parse(header: &str, size_bytes: u64) -> Asked {
    let Some((unit, spec)) = header.split_once('=') else { return Asked::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    match (number(first), number(last)) {
        (Number::Value(first), Number::Value(last)) if first > last => Asked::Whole,
        (Number::Value(first), Number::Value(last)) => part(first, last.saturating_add(1), size_bytes),
        (Number::Value(first), Number::Absent) => part(first, size_bytes, size_bytes),
        (Number::Absent, Number::Value(0)) => Asked::Unsatisfiable,
        (Number::Absent, Number::Value(suffix)) => part(size_bytes.saturating_sub(suffix), size_bytes, size_bytes),
        (Number::Absent, Number::Absent) | (Number::Wrong, _) | (_, Number::Wrong) => Asked::Whole,
    }
}

enum Number {
    Value(u64),
    Absent,
    Wrong,
}

fn number(text: &str) -> Number {
    match text {
        "" => Number::Absent,
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            // More digits than fit are simply very far away.
            Number::Value(text.parse().unwrap_or(u64::MAX))
        }
        _ => Number::Wrong,
    }
}

fn part(start: u64, end: u64, size_bytes: u64) -> Asked {
    if start >= size_bytes { Asked::Unsatisfiable } else { Asked::Part(start..end.min(size_bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (header, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=10-", Asked::Part(10..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-200", Asked::Part(0..100)),
            ("BYTES=5-7", Asked::Part(5..8)),
            ("bytes=90-99999999999999999999999", Asked::Part(90..100)),
            ("bytes=100-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=7-5", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("items=0-1", Asked::Whole),
            ("bytes", Asked::Whole),
        ] {
            assert_eq!(parse(header, 100), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_always_lies_in_the_blob(header in "bytes=[0-9,-]{0,30}", size_bytes in 0_u64..1_000) {
            if let Asked::Part(range) = parse(&header, size_bytes) {
                prop_assert!(range.start < range.end && range.end <= size_bytes);
            }
        }
    }
}
