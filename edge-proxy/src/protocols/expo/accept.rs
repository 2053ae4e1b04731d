//! This file's job is to choose the form of an answer as `Accept` says (RFC 9110, section 12.5.1).

use crate::refusal::Refusal;

/// The real clients' header has 62 bytes.
const ACCEPT_MAX_BYTES: usize = 1_024;
/// Weights have three digits after the point.
const WEIGHT_MAX: u16 = 1_000;

/// How an answer is written, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `multipart/mixed`: manifests with all that comes with them, and directives.
    Multipart,
    /// `application/expo+json`: a manifest.
    ExpoJson,
    /// `application/json`: a manifest.
    Json,
}

impl Form {
    const ALL: [Self; 3] = [Self::Multipart, Self::ExpoJson, Self::Json];

    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Multipart => ("multipart", "mixed"),
            Self::ExpoJson => ("application", "expo+json"),
            Self::Json => ("application", "json"),
        }
    }
}

/// Returns the form that the client likes best; of several that it likes the same, the one that can say most. None when it takes none.
pub(crate) fn choose(accept: Option<&str>) -> Result<Option<Form>, Refusal> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Ok(Some(Form::Multipart)) };
    if accept.len() > ACCEPT_MAX_BYTES {
        return Err(Refusal::malformed("accept-invalid", format!("accept has more than {ACCEPT_MAX_BYTES} bytes")));
    }
    let ranges = accept.split(',').map(read).collect::<Option<Vec<_>>>();
    let ranges = ranges.ok_or_else(|| Refusal::malformed("accept-invalid", "accept is no list of media types"))?;
    let mut best: Option<(Form, u16)> = None;
    for form in Form::ALL {
        let weight = weight(form, &ranges);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((form, weight));
        }
    }
    Ok(best.map(|(form, _)| form))
}

/// A media range with its weight in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: u16,
}

fn read(part: &str) -> Option<Range<'_>> {
    let mut parts = part.split(';');
    let (kind, subtype) = parts.next()?.trim().split_once('/')?;
    let mut weight = WEIGHT_MAX;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            let value: f32 = value.trim().parse().ok()?;
            if !(0.0..=1.0).contains(&value) {
                return None;
            }
            weight = (value * f32::from(WEIGHT_MAX)) as u16;
        }
    }
    Some(Range { kind, subtype, weight })
}

/// The most specific range counts.
fn weight(form: Form, ranges: &[Range<'_>]) -> u16 {
    let (kind, subtype) = form.media_type();
    let specific = |range: &Range<'_>| match (range.kind, range.subtype) {
        ("*", "*") => Some(0),
        (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
        (own, sub) if own.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => Some(2),
        _ => None,
    };
    let fitting = ranges.iter().filter_map(|range| Some((specific(range)?, range.weight)));
    fitting.max().map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_best_form_that_the_client_takes_is_chosen() {
        for (accept, expected) in [
            ("multipart/mixed,application/expo+json,application/json", Some(Form::Multipart)),
            ("application/expo+json,application/json", Some(Form::ExpoJson)),
            ("application/json", Some(Form::Json)),
            ("multipart/mixed;q=0.5, application/json", Some(Form::Json)),
            ("APPLICATION/JSON;q=0.001", Some(Form::Json)),
            ("*/*", Some(Form::Multipart)),
            ("*/*, multipart/mixed;q=0", Some(Form::ExpoJson)),
            ("application/*", Some(Form::ExpoJson)),
            ("", Some(Form::Multipart)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(choose(Some(accept)).unwrap(), expected, "{accept}");
        }
        assert_eq!(choose(None).unwrap(), Some(Form::Multipart));
        for bad in ["json", "a/b;q=2", "a/b;q=x", "a/b;q", &"a/b,".repeat(400)] {
            assert!(choose(Some(bad)).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_choosing_panic(text in "[a-z*/;q=0-9., ]{0,80}") {
            let _ = choose(Some(&text));
        }
    }
}
