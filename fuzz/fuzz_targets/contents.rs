//! This file's job is to fuzz the stored description of a bundle's inside.

use bundle::Contents;

/// A description is read or refused, and what was read survives storage.
pub fn run(bytes: &[u8]) {
    let Ok(contents) = Contents::decode(bytes) else { return };
    let stored = contents.encode().expect("what was read can be written");
    assert_eq!(Contents::decode(&stored).expect("what was written can be read"), contents);
}
