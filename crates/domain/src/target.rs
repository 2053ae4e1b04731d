//! This file's job is to say which native binaries a release may run on.

mod contradiction;

use crate::error::Invalid;
use contradiction::Contradiction;
use nodejs_semver::{OutsideDirection, Range, Version};
use std::sync::Arc;

/// Longer texts are mistakes or attacks: real ranges have a handful of comparators.
pub const BINARY_RANGE_MAX_BYTES: usize = 256;
/// Expo's fingerprints are 40 digits; policies such as `appVersion` are shorter.
pub const RUNTIME_VERSION_MAX_BYTES: usize = 128;

/// A version of a native binary, `major.minor.patch` with optional pre-release; missing parts count as zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BinaryVersion(Version);

impl std::str::FromStr for BinaryVersion {
    type Err = Invalid;

    /// Accepts `1`, `1.2` and `1.2.3[-pre][+build]`: stores show two-part versions, ranges need three.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: Invalid = Invalid::new("BinaryVersion", "must be a version such as 1.4.0");
        if text.is_empty() || text.len() > BINARY_RANGE_MAX_BYTES || !text.as_bytes()[0].is_ascii_digit() {
            return Err(RULE);
        }
        let core = text.find(['-', '+']).map_or(text, |end| &text[..end]);
        let parsed = match core.bytes().filter(|&byte| byte == b'.').count() {
            // As it is: update checks come here, so it must cost no allocation.
            2 => Version::parse(text),
            0 => Version::parse(format!("{core}.0.0{}", &text[core.len()..])),
            1 => Version::parse(format!("{core}.0{}", &text[core.len()..])),
            _ => return Err(RULE),
        };
        parsed.map(Self).map_err(|_| RULE)
    }
}

impl std::fmt::Display for BinaryVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A range of binary versions in the syntax of npm's semver, for instance `1.x`, `>=1.2 <2` or `*`.
///
/// Clones share what was parsed: of many releases, most have the same range.
#[derive(Debug, Clone)]
pub struct BinaryRange(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: String,
    /// The parts that can be satisfied; none when there are none.
    range: Option<Range>,
    contradictions: Vec<Contradiction>,
}

impl BinaryRange {
    /// Returns the text that was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Says whether the version lies in the range.
    #[must_use]
    pub fn contains(&self, version: &BinaryVersion) -> bool {
        self.0.range.as_ref().is_some_and(|range| version.0.satisfies(range))
    }

    /// Says whether the version is greater than every one in the range.
    #[must_use]
    pub fn is_below(&self, version: &BinaryVersion) -> bool {
        // An error says that the range has no bounds, so nothing is above it.
        let is_below = |range: &Range| range.outside(&version.0, OutsideDirection::Higher, false).unwrap_or(false);
        self.0.range.as_ref().is_none_or(is_below) && self.0.contradictions.iter().all(|part| part.is_below(&version.0))
    }
}

impl std::str::FromStr for BinaryRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: Invalid = Invalid::new("BinaryRange", "must be a version range such as 1.x or >=1.2.0 <2.0.0");
        if text.is_empty() || text.len() > BINARY_RANGE_MAX_BYTES {
            return Err(RULE);
        }
        let whole = Range::parse(text).map_err(|_| RULE)?;
        let (kept, contradictions) = contradiction::separate(text);
        let range = if contradictions.is_empty() {
            Some(whole)
        } else if kept.is_empty() {
            None
        } else {
            Some(Range::parse(kept).map_err(|_| RULE)?)
        };
        Ok(Self(Arc::new(Parsed { text: text.to_owned(), range, contradictions })))
    }
}

impl PartialEq for BinaryRange {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for BinaryRange {}

/// Which binaries a release is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every binary whose version lies in the range.
    BinaryRange(BinaryRange),
    /// Every binary with exactly this runtime version.
    RuntimeVersion(RuntimeVersion),
}

impl Target {
    /// Says whether a binary with this version and runtime version may run the release.
    #[must_use]
    pub fn accepts(&self, version: Option<&BinaryVersion>, runtime: Option<&RuntimeVersion>) -> bool {
        match self {
            Self::BinaryRange(range) => version.is_some_and(|version| range.contains(version)),
            Self::RuntimeVersion(wanted) => runtime == Some(wanted),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BinaryRange(range) => write!(f, "binary {}", range.as_str()),
            Self::RuntimeVersion(runtime) => write!(f, "runtime {runtime}"),
        }
    }
}

/// The name of a native interface, compared byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuntimeVersion(Arc<str>);

impl RuntimeVersion {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for RuntimeVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty()
            || text.len() > RUNTIME_VERSION_MAX_BYTES
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Invalid::new("RuntimeVersion", "must be 1 to 128 visible ASCII characters"));
        }
        Ok(Self(text.into()))
    }
}

impl std::fmt::Display for RuntimeVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_versions_are_padded_with_zeros() {
        let range: BinaryRange = "1.2.x".parse().unwrap();
        assert!(range.contains(&"1.2".parse().unwrap()));
        assert!(range.contains(&"1.2.9".parse().unwrap()));
        assert!(!range.contains(&"1.3".parse().unwrap()));
        assert!(!range.contains(&"1".parse().unwrap()));
    }

    #[test]
    fn nonsense_versions_and_ranges_are_refused() {
        for text in ["", "v1", "a.b.c", "1.2.3.4", "-1", &"1".repeat(300)] {
            assert!(text.parse::<BinaryVersion>().is_err(), "{text}");
        }
        for text in ["", "not a range", &">=1 ".repeat(100)] {
            assert!(text.parse::<BinaryRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn runtime_versions_match_exactly() {
        let target = Target::RuntimeVersion("fingerprint-1".parse().unwrap());
        assert!(target.accepts(None, Some(&"fingerprint-1".parse().unwrap())));
        assert!(!target.accepts(Some(&"1.0.0".parse().unwrap()), Some(&"fingerprint-10".parse().unwrap())));
        assert!(!target.accepts(Some(&"1.0.0".parse().unwrap()), None));
    }
}
