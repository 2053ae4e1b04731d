//! This file's job is to make files that tests turn into one another.

use proptest::prelude::*;
use std::path::PathBuf;

/// Bytes that no compressor can shrink, always the same.
pub fn noise(seed: u64, size_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size_bytes).map(|_| next()).collect()
}

/// A bundle of the example app: the version `v1` and so on, and `hermes` or `js`.
pub fn corpus(version: &str, kind: &str) -> Vec<u8> {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is not set: run through ./x test");
    let path = PathBuf::from(root).join(version).join("android").join(kind).join("index.android.bundle");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A change somewhere in a file.
#[derive(Debug, Clone)]
pub enum Edit {
    Insert(prop::sample::Index, Vec<u8>),
    Delete(prop::sample::Index, usize),
    /// Adds to every byte at a fixed distance, as shifted offsets in bytecode look.
    Drift(prop::sample::Index, usize, u8),
    Move(prop::sample::Index, usize, prop::sample::Index),
}

pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let place = any::<prop::sample::Index>;
    let edit = prop_oneof![
        (place(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (place(), 0_usize..5_000).prop_map(|(at, size)| Edit::Delete(at, size)),
        (place(), 2_usize..40, any::<u8>()).prop_map(|(at, every, by)| Edit::Drift(at, every, by)),
        (place(), 0_usize..5_000, place()).prop_map(|(from, size, to)| Edit::Move(from, size, to)),
    ];
    prop::collection::vec(edit, 0..8)
}

pub fn edited(file: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut file = file.to_vec();
    for edit in edits {
        let at = |index: &prop::sample::Index, file: &[u8]| index.index(file.len() + 1);
        match edit {
            Edit::Insert(index, bytes) => {
                let at = at(index, &file);
                file.splice(at..at, bytes.iter().copied());
            }
            Edit::Delete(index, size) => {
                let at = at(index, &file);
                file.drain(at..file.len().min(at + size));
            }
            Edit::Drift(index, every, by) => {
                let at = at(index, &file);
                file[at..].iter_mut().step_by(*every).take(500).for_each(|byte| *byte = byte.wrapping_add(*by));
            }
            Edit::Move(index, size, to) => {
                let from = at(index, &file);
                let moved: Vec<u8> = file.drain(from..file.len().min(from + size)).collect();
                let to = at(to, &file);
                file.splice(to..to, moved);
            }
        }
    }
    file
}
