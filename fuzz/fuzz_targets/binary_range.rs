//! This file's job is to fuzz version ranges and versions, which devices and developers write.

use domain::target::{BinaryRange, BinaryVersion};

/// The first line is a range, the second a version.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (range, version) = text.split_once('\n').unwrap_or((text, "1.4.0"));
    let (range, version) = (range.parse::<BinaryRange>(), version.parse::<BinaryVersion>());
    if let (Ok(range), Ok(version)) = (range, version) {
        let again: BinaryVersion = version.to_string().parse().expect("what is written can be read");
        assert_eq!(range.contains(&version), range.contains(&again));
    }
}
