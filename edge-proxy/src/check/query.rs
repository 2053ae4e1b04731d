//! This file's job is to read the query of an update check, strictly and without allocations where nothing is escaped.

use crate::cut::cut;
use crate::refusal::Refusal;
use domain::bundle::Coding;
use domain::target::{BINARY_RANGE_MAX_BYTES, BinaryVersion, RuntimeVersion};
use domain::{Platform, Sha256};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Every parameter at its longest, escaped, fits.
const QUERY_MAX_BYTES: usize = 2_048;
/// More parameters than this protocol will ever have.
const PARAMETERS_MAX: usize = 32;
/// More formats and codings than there will ever be.
const FORMATS_MAX: usize = 16;
/// As long as the names in snapshots.
const FORMAT_MAX_BYTES: usize = 32;

/// Holds values that were escaped, for as long as the query is used.
#[derive(Default)]
pub(crate) struct Decoded<'a> {
    values: [Option<Cow<'a, str>>; NAMES],
}

/// Parameters of this protocol.
const NAMES: usize = 8;

/// Returns the place of a parameter among the values.
fn place_of(name: &str) -> Option<usize> {
    Some(match name {
        "app" => 0,
        "channel" => 1,
        "platform" => 2,
        "binary" => 3,
        "runtime" => 4,
        "current" => 5,
        "embedded" => 6,
        "formats" => 7,
        _ => return None,
    })
}

/// What a device says. Unknown parameters are ignored, so that newer clients can say more; known ones may stand there once.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) app: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) platform: Platform,
    binary: Option<&'a str>,
    runtime: Option<&'a str>,
    pub(crate) current: Option<Sha256>,
    pub(crate) embedded: Option<Sha256>,
    /// Formats of patches.
    pub(crate) formats: Formats<'a>,
    /// How whole files may be compressed.
    pub(crate) codings: Codings,
}

/// Names with commas between them, of which some are no codings; they stay as they came, so that reading them costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Formats<'a>(&'a str);

impl Formats<'_> {
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(self, format: &str) -> bool {
        self.0.split(',').any(|name| name == format)
    }
}

/// A set of codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Codings(u8);

impl Codings {
    const fn with(self, coding: Coding) -> Self {
        Self(self.0 | 1 << coding as u8)
    }

    pub(crate) const fn has(self, coding: Coding) -> bool {
        self.0 & 1 << coding as u8 != 0
    }
}

impl<'a> Query<'a> {
    pub(crate) fn parse<'q: 'a>(text: &'q str, decoded: &'a mut Decoded<'q>) -> Result<Self, Refusal> {
        if text.len() > QUERY_MAX_BYTES {
            return Err(invalid(format!("the query has more than {QUERY_MAX_BYTES} bytes")));
        }
        collect(text, &mut decoded.values)?;
        let [app, channel, platform, binary, runtime, current, embedded, formats] = &decoded.values;
        let (app, channel) = (required(app, "app")?, required(channel, "channel")?);
        if app.len() > NAME_MAX_BYTES || channel.len() > NAME_MAX_BYTES {
            return Err(invalid("app and channel must be names".to_owned()));
        }
        let platform = required(platform, "platform")?;
        let (formats, codings) = formats_of(present(formats))?;
        let query = Self {
            app,
            channel,
            platform: platform.parse().map_err(|_| invalid("platform must be android or ios".to_owned()))?,
            binary: present(binary),
            runtime: present(runtime),
            current: hash(current, "current")?,
            embedded: hash(embedded, "embedded")?,
            formats,
            codings,
        };
        if query.binary.is_none() && query.runtime.is_none() {
            return Err(invalid("binary or runtime must be given".to_owned()));
        }
        Ok(query)
    }

    /// Returns the version of the binary.
    pub(crate) fn binary_version(&self) -> Result<Option<BinaryVersion>, Refusal> {
        if self.binary.is_some_and(|text| text.len() > BINARY_RANGE_MAX_BYTES) {
            return Err(invalid(format!("binary must be at most {BINARY_RANGE_MAX_BYTES} bytes")));
        }
        let parsed = self.binary.map(str::parse::<BinaryVersion>).transpose();
        parsed.map_err(|error| invalid(format!("binary {}", error.rule)))
    }

    /// Returns the runtime version.
    pub(crate) fn runtime(&self) -> Result<Option<RuntimeVersion>, Refusal> {
        let parsed = self.runtime.map(str::parse::<RuntimeVersion>).transpose();
        parsed.map_err(|error| invalid(format!("runtime {}", error.rule)))
    }
}

/// `app_` with 26 digits is shorter; channel names have this bound.
const NAME_MAX_BYTES: usize = domain::name::NAME_MAX_BYTES;

/// Says that the query is malformed.
pub(crate) fn invalid(message: String) -> Refusal {
    Refusal::malformed("query-invalid", message)
}

fn collect<'q>(text: &'q str, values: &mut [Option<Cow<'q, str>>; NAMES]) -> Result<(), Refusal> {
    // Real clients escape nothing: hashes, ids, names and versions need no escapes.
    let is_plain = !text.as_bytes().contains(&b'%');
    let (mut rest, mut count) = (Some(text), 0);
    while let Some(text) = rest {
        let (pair, behind) = cut(text, b'&');
        rest = behind;
        if pair.is_empty() {
            continue;
        }
        count += 1;
        if count > PARAMETERS_MAX {
            return Err(invalid(format!("there are more than {PARAMETERS_MAX} parameters")));
        }
        let (name, value) = cut(pair, b'=');
        let Some(index) = place_of(name) else { continue };
        if values[index].is_some() {
            return Err(invalid(format!("{name} is there twice")));
        }
        let value = value.unwrap_or_default();
        values[index] = Some(if is_plain { Cow::Borrowed(value) } else { unescape(name, value)? });
    }
    Ok(())
}

/// A plus sign is a plus sign: versions have them (`1.0.0+5`).
pub(crate) fn unescape<'q>(name: &str, value: &'q str) -> Result<Cow<'q, str>, Refusal> {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        if byte == b'%' && !(is_digit(bytes.next()) && is_digit(bytes.next())) {
            return Err(invalid(format!("{name} has a broken escape")));
        }
    }
    percent_decode_str(value).decode_utf8().map_err(|_| invalid(format!("{name} is not UTF-8")))
}

/// Empty means absent.
fn present<'a>(value: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    value.as_deref().filter(|value| !value.is_empty())
}

fn required<'a>(value: &'a Option<Cow<'_, str>>, name: &str) -> Result<&'a str, Refusal> {
    present(value).ok_or_else(|| invalid(format!("{name} must be given")))
}

fn hash(value: &Option<Cow<'_, str>>, name: &str) -> Result<Option<Sha256>, Refusal> {
    present(value).map(str::parse).transpose().map_err(|_| invalid(format!("{name} must be a SHA-256 in hexadecimal")))
}

/// Tells formats of patches from codings of whole files; what is unknown counts among the formats.
fn formats_of(list: Option<&str>) -> Result<(Formats<'_>, Codings), Refusal> {
    let Some(list) = list else { return Ok((Formats::default(), Codings::default())) };
    let is_name = |format: &str| {
        (1..=FORMAT_MAX_BYTES).contains(&format.len())
            && format.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let (mut codings, mut formats) = (Codings::default(), Formats::default());
    for (index, name) in list.split(',').enumerate() {
        if index >= FORMATS_MAX || !is_name(name) {
            return Err(invalid(format!("formats must be at most {FORMATS_MAX} names with commas between them")));
        }
        match Coding::ALL.iter().find(|coding| coding.as_str() == name) {
            Some(coding) => codings = codings.with(*coding),
            None => formats = Formats(list),
        }
    }
    Ok((formats, codings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "app=app_1&channel=production&platform=ios&binary=1.0.0";

    fn parse(text: &str) -> Result<String, String> {
        let mut decoded = Decoded::default();
        Query::parse(text, &mut decoded).map(|query| format!("{query:?}")).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn plus_signs_and_escapes_are_kept_apart() {
        let mut decoded = Decoded::default();
        let text = GOOD.replace("1.0.0", "1.0.0+5") + "&runtime=a%2Bb&later=%zz&current=&&";
        let query = Query::parse(&text, &mut decoded).unwrap();
        assert_eq!(query.binary, Some("1.0.0+5"));
        assert_eq!(query.runtime().unwrap().unwrap().as_str(), "a+b");
        assert_eq!(query.current, None);
    }

    #[test]
    fn codings_of_whole_files_are_told_from_formats_of_patches() {
        let mut decoded = Decoded::default();
        let text = format!("{GOOD}&formats=zstd,dcz,br,later");
        let query = Query::parse(&text, &mut decoded).unwrap();
        assert!(["dcz", "later"].iter().all(|name| query.formats.has(name)) && !query.formats.has("dc"));
        let has = |coding| query.codings.has(coding);
        assert!(has(Coding::Brotli) && has(Coding::Zstandard) && !has(Coding::Gzip));
    }

    #[test]
    fn every_mistake_is_named() {
        let long = format!("{GOOD}&x={}", "a".repeat(3_000));
        let many = format!("{GOOD}{}", "&x".repeat(40));
        for (text, part) in [
            ("", "app must be given"),
            ("app=app_1", "channel must be given"),
            ("app=app_1&channel=a&platform=windows&binary=1", "platform"),
            ("app=app_1&channel=a&platform=ios", "binary or runtime"),
            ("app=app_1&app=app_1&channel=a&platform=ios", "twice"),
            (&format!("{GOOD}&current=abc"), "current must be a SHA-256"),
            (&format!("{GOOD}&embedded=%"), "broken escape"),
            (&format!("{GOOD}&runtime=%ff"), "UTF-8"),
            (&format!("{GOOD}&formats=a,,b"), "formats"),
            (&format!("{GOOD}&formats=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), "formats"),
            (&long, "2048 bytes"),
            (&many, "32 parameters"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part) && error.contains("query-invalid"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_parsing_panic(text in ".{0,300}", tail in "[&=%a-z0-9+,]{0,80}") {
            let _ = parse(&text);
            let _ = parse(&format!("{GOOD}&formats={tail}"));
        }
    }
}
