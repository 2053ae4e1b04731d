//! This file's job is to read the versions of binaries as CodePush's servers do.

use domain::target::{BINARY_RANGE_MAX_BYTES, BinaryVersion};

/// Reads a version, strictly: `1.2.3` with an optional `v` before it, or one with parts missing, which count as zero.
pub(super) fn parse(text: &str) -> Option<BinaryVersion> {
    if text.len() > BINARY_RANGE_MAX_BYTES {
        return None;
    }
    let text = text.trim();
    let core_bytes = text.find(['-', '+']).unwrap_or(text.len());
    let (core, tag) = text.split_at(core_bytes);
    let parts = core.bytes().filter(|&byte| byte == b'.').count();
    let whole = match (parts, tag) {
        (0, "") => format!("{core}.0.0"),
        (1, tag) => format!("{core}.0{tag}"),
        (2, _) => text.strip_prefix('v').unwrap_or(text).to_owned(),
        _ => return None,
    };
    // Node's own rules; those of ranges are laxer.
    let strict = is_strict(&whole);
    if strict { whole.parse().ok() } else { None }
}

/// Says whether it is `major.minor.patch[-pre][+build]` without superfluous zeros or empty parts.
fn is_strict(text: &str) -> bool {
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_pre = |part: &str| is_word(part) && (is_number(part) || !part.bytes().all(|byte| byte.is_ascii_digit()));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Recorded from node-semver 7.6.3.
    const VECTORS: &str = include_str!("../../../../crates/domain/tests/vectors/codepush/semver.json");

    #[test]
    fn whole_versions_are_valid_when_node_says_so() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let valid = vectors["valid"].as_object().unwrap();
        // Versions with parts missing are invalid to node, and completed by CodePush before node sees them.
        for (text, normalised) in valid.iter().filter(|(text, _)| text.matches('.').count() >= 2) {
            assert_eq!(parse(text).is_some(), !normalised.is_null(), "{text:?}");
        }
    }

    #[test]
    fn missing_parts_are_zeros() {
        for (short, whole) in [("1", "1.0.0"), ("2.0", "2.0.0"), ("1.70", "1.70.0"), ("2.0-beta", "2.0.0-beta")] {
            assert_eq!(parse(short), parse(whole), "{short}");
            assert!(parse(short).is_some(), "{short}");
        }
        for bad in ["", "abc", "1-beta", "1.2.3.4", "01.2.3", "=1.2.3", "v1.0", "v1", "1.", "1..2", &"1".repeat(300)] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
