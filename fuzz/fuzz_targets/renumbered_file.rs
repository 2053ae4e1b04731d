//! This file's job is to fuzz the renumbering of strings behind what protects it: the hash at the end of a file.

use delta::renumber_strings;
use sha1::{Digest as _, Sha1};

/// Real files, of each layout that is understood.
const SAMPLES: [&[u8]; 2] = [
    include_bytes!("../../crates/delta/tests/samples/old-98.hbc"),
    include_bytes!("../../crates/delta/tests/samples/old-96.hbc"),
];
/// Where a file says how large it is.
const SIZE: std::ops::Range<usize> = 32..36;

/// A file that lies is refused, or renumbered to one that is whole. The first byte chooses the other file, and which of both is the base.
pub fn run(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let sample = SAMPLES[usize::from(choice >> 1) % SAMPLES.len()];
    let file = [body, &Sha1::digest(body)[..]].concat();
    let (base, new) = if choice & 1 == 0 { (sample, &file[..]) } else { (&file[..], sample) };
    if let Some(renumbered) = renumber_strings(base, new) {
        assert_eq!(renumbered[SIZE], (renumbered.len() as u32).to_le_bytes());
    }
}
