//! This file's job is to compare version ranges with what node's own semver said of the same pairs.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use domain::target::{BinaryRange, BinaryVersion};
use serde_json::Value;

/// Recorded from node-semver 7.6.3.
const VECTORS: &str = include_str!("vectors/codepush/semver.json");

/// Asks every recorded pair the question, and returns how many there were.
fn compare(table: &str, question: impl Fn(&BinaryRange, &BinaryVersion) -> bool) -> usize {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let pairs = vectors[table].as_array().unwrap();
    for pair in pairs {
        let (version, range) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        // Nobody can publish for an empty range; to node it is the same as this one.
        let range: BinaryRange = (if range.is_empty() { "*" } else { range }).parse().unwrap();
        // Node drops both; who reads versions of a client does so before.
        let version = version.trim().trim_start_matches('v').parse().unwrap();
        assert_eq!(question(&range, &version), pair[2].as_bool().unwrap(), "{table}: {pair}");
    }
    pairs.len()
}

#[test]
fn a_version_satisfies_a_range_as_node_says() {
    assert_eq!(compare("sat", BinaryRange::contains), 902);
}

#[test]
fn a_version_is_above_a_range_as_node_says() {
    assert_eq!(compare("gtr", BinaryRange::is_below), 902);
}

#[test]
fn what_is_no_range_to_node_is_none_to_us() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    for (text, normalised) in vectors["range"].as_object().unwrap() {
        let is_range = text.is_empty() || text.parse::<BinaryRange>().is_ok();
        assert_eq!(is_range, !normalised.is_null(), "{text:?}");
    }
}
