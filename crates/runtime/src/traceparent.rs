//! This file's job is to read the header `traceparent` (W3C Trace Context), which says what trace a request belongs to.

/// The header.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// `version-trace-parent-flags`. Later versions may be longer, and begin like this.
const LENGTH: usize = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01".len();

/// Returns the trace's id, 32 hexadecimal digits; none when the header is malformed.
#[must_use]
pub fn trace_id(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.get(..LENGTH)?.split('-');
    let mut part = |digits: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        parts.next().filter(|part| part.len() == digits && part.bytes().all(is_digit))
    };
    let (version, trace, parent, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let ends_well = match version {
        "ff" => false,
        "00" => text.len() == LENGTH,
        _ => matches!(text.as_bytes().get(LENGTH), None | Some(b'-')),
    };
    let is_set = |id: &str| id.bytes().any(|digit| digit != b'0');
    (ends_well && is_set(trace) && is_set(parent)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn the_trace_is_read_and_what_is_malformed_is_not() {
        for good in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"),
        ] {
            assert_eq!(trace_id(good.as_bytes()), Some(TRACE), "{good}");
        }
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00-1-2-01".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-00f067aa0ba902b7-é1"),
        ] {
            assert_eq!(trace_id(bad.as_bytes()), None, "{bad}");
        }
    }
}
