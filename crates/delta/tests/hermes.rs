//! This file's job is to check that patches between Hermes bytecode files are small, and that they cannot hurt who applies them.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod material;

use delta::{Budget, DeltaError, Effort, Format, Limits};
use material::{corpus, edited, edits, noise};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::path::Path;

const PROFILES: [Format; 2] = [Format::Hermes, Format::HermesAdaptive];
/// Where the SHA-256 of the base is in a patch.
const BASE_HASH: std::ops::Range<usize> = 6..38;

/// A file of `tests/samples`, made of `old.js` or `new.js` by the `hermesc` that makes this version of bytecode:
/// `hermesc -w -emit-binary -O`, and with `-g` for the files named `debug`.
fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn encode(format: Format, old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    format.encode(old, new, Effort::Quick, &Budget::UNLIMITED).unwrap()
}

fn decode(format: Format, old: &[u8], patch: &[u8]) -> Result<Vec<u8>, DeltaError> {
    format.decode(old, patch, &Limits::output(1 << 20))
}

/// A patch of a sample, with its files.
fn made(format: Format, version: u32) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (old, new) = (sample(&format!("old-{version}.hbc")), sample(&format!("new-{version}.hbc")));
    let patch = encode(format, &old, &new).expect("the samples are bytecode of one version");
    (old, new, patch)
}

#[test]
fn patches_of_real_bundles_are_a_fraction_of_those_of_the_other_formats() {
    for (from, to, percent) in [(("v2", "hermes"), ("v3", "hermes"), 25), (("v1", "hermes"), ("v2", "hermes-base"), 30)]
    {
        let (old, new) = (corpus(from.0, from.1), corpus(to.0, to.1));
        let other = Format::Bsdiff40.encode(&old, &new, Effort::Quick, &Budget::UNLIMITED).unwrap().unwrap();
        for format in PROFILES {
            let patch = encode(format, &old, &new).unwrap();
            println!("{format} {from:?} {to:?}: {} bytes, bsdiff40 {}", patch.len(), other.len());
            assert!(patch.len() * 100 <= other.len() * percent, "{format}: {} of {}", patch.len(), other.len());
            assert!(format.decode(&old, &patch, &Limits::output(new.len())).unwrap() == new);
        }
    }
}

#[test]
fn every_version_of_bytecode_makes_small_patches() {
    for version in [89, 96, 98, 99] {
        for format in PROFILES {
            let (old, new, patch) = made(format, version);
            let other = encode(Format::Dcz, &old, &new).unwrap();
            println!("{format} of version {version}: {} bytes, dcz {}", patch.len(), other.len());
            assert!(patch.len() * 2 < other.len(), "{format} {version}: {} of {}", patch.len(), other.len());
            assert!(decode(format, &old, &patch).unwrap() == new);
        }
    }
}

#[test]
fn the_adaptive_profile_is_the_smaller_one() {
    let (old, new) = (corpus("v2", "hermes"), corpus("v3", "hermes"));
    let [size, adaptive] = PROFILES.map(|format| encode(format, &old, &new).unwrap().len());
    println!("{adaptive} bytes instead of {size}");
    assert!(adaptive * 100 <= size * 92, "{adaptive} of {size}");
}

#[test]
fn files_with_debug_information_work() {
    for version in [96, 98] {
        let (old, new) = (sample(&format!("old-{version}.hbc")), sample(&format!("debug-{version}.hbc")));
        for (old, new) in [(&old, &new), (&new, &old), (&new, &new)] {
            for format in PROFILES {
                let patch = encode(format, old, new).unwrap();
                assert!(decode(format, old, &patch).unwrap() == *new);
            }
        }
    }
}

#[test]
fn files_that_are_not_bytecode_of_one_known_version_have_no_patch() {
    let (old, new) = (sample("old-98.hbc"), sample("new-98.hbc"));
    let with = |at: usize, byte: u8| {
        let mut other = new.clone();
        other[at] = byte;
        other
    };
    let text = sample("new.js");
    let others: [&[u8]; 8] = [
        &sample("new-99.hbc"),
        &text,
        b"",
        &new[..100],
        &new[..new.len() - 1],
        // The magic number, the version, the number of functions.
        &with(0, 0),
        &with(8, 97),
        &with(43, 0xff),
    ];
    for format in PROFILES {
        for other in others {
            assert_eq!(encode(format, &old, other), None);
            assert_eq!(encode(format, other, &old), None);
        }
        assert!(encode(format, &old, &new).is_some());
    }
}

#[test]
fn the_worst_hash_of_an_identifier_makes_no_patch_rather_than_a_broken_one() {
    let (old, mut new) = (sample("old-98.hbc"), sample("new-98.hbc"));
    let count = |index: usize| u32::from_le_bytes(new[32 + 4 * index..][..4].try_into().unwrap()) as usize;
    let hashes = 128 + 12 * count(2) + 4 * count(3);
    new[hashes] ^= 1;
    assert_eq!(encode(Format::Hermes, &old, &new), None);
}

#[test]
fn another_base_is_told_apart_from_a_broken_patch() {
    for format in PROFILES {
        let (old, _, patch) = made(format, 98);
        assert_eq!(decode(format, b"other", &patch), Err(DeltaError::OtherBase));
        assert_eq!(decode(format, &old, b"hbcd\x02"), Err(DeltaError::NotAPatch));
    }
}

#[test]
fn outputs_and_memory_beyond_the_limits_are_refused_before_they_are_made() {
    for format in PROFILES {
        let (old, new, patch) = made(format, 98);
        let max_bytes = new.len() - 1;
        assert_eq!(format.decode(&old, &patch, &Limits::output(max_bytes)), Err(DeltaError::TooLarge { max_bytes }));
        let limits = Limits { output_max_bytes: new.len(), memory_max_bytes: 100_000 };
        assert_eq!(format.decode(&old, &patch, &limits), Err(DeltaError::Memory { max_bytes: 100_000 }));
    }
}

#[test]
fn a_spent_budget_gives_no_patch_and_a_small_one_neither() {
    let (old, new) = (sample("old-98.hbc"), sample("new-98.hbc"));
    let small = Budget { memory_max_bytes: 100_000, should_stop: &|| false };
    for format in PROFILES {
        assert_eq!(format.encode(&old, &new, Effort::Best, &small).unwrap(), None);
        let spent = Budget { memory_max_bytes: usize::MAX, should_stop: &|| true };
        if let Some(patch) = format.encode(&old, &new, Effort::Best, &spent).unwrap() {
            assert!(decode(format, &old, &patch).unwrap() == new);
        }
    }
}

#[test]
fn a_patch_that_is_cut_off_is_refused() {
    for format in PROFILES {
        let (old, new, patch) = made(format, 98);
        for end in 0..patch.len() {
            // A coder may not need its last byte; the hash of what comes out decides.
            let made = decode(format, &old, &patch[..end]);
            assert!(
                made.is_err() || (end + 8 > patch.len() && made == Ok(new.clone())),
                "cut at {end} of {}",
                patch.len()
            );
        }
    }
}

/// A Zstandard frame that holds the bytes as they are.
fn frame(raw: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(raw, 1).unwrap()
}

/// Takes a patch of profile 1 apart: what comes before the frame, and what is in the frame.
fn opened(patch: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = patch.windows(4).position(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    (patch[..at].to_vec(), zstd::bulk::decompress(&patch[at..], 1 << 20).unwrap())
}

#[test]
fn a_frame_with_bytes_missing_or_left_over_is_refused() {
    let (old, new, patch) = made(Format::Hermes, 98);
    let (head, raw) = opened(&patch);
    let with = |raw: &[u8]| decode(Format::Hermes, &old, &[&head[..], &frame(raw)].concat());
    assert!(with(&raw).unwrap() == new);
    for end in 0..raw.len() {
        assert!(with(&raw[..end]).is_err(), "cut at {end} of {}", raw.len());
    }
    assert!(with(&[&raw[..], &[0]].concat()).is_err());
}

/// Bytes that replace others.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let byte = prop_oneof![Just(0), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()];
    prop::collection::vec((any::<prop::sample::Index>(), byte), 1..6)
}

fn changed(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (index, byte) in changes {
        let at = index.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_patches_make_the_same_file_or_none(
        version in prop_oneof![Just(96), Just(98), Just(99)], changes in changes(),
    ) {
        for format in PROFILES {
            let (old, new, patch) = made(format, version);
            if let Ok(made) = decode(format, &old, &changed(&patch, &changes)) {
                prop_assert!(made == new);
            }
        }
    }

    #[test]
    fn changed_frames_make_the_same_file_or_none(
        version in prop_oneof![Just(96), Just(98), Just(99)], changes in changes(),
    ) {
        let (old, new, patch) = made(Format::Hermes, version);
        let (head, raw) = opened(&patch);
        let patch = [head, frame(&changed(&raw, &changes))].concat();
        if let Ok(made) = decode(Format::Hermes, &old, &patch) {
            prop_assert!(made == new);
        }
    }

    #[test]
    fn odd_bases_make_a_file_or_none(version in prop_oneof![Just(96), Just(98), Just(99)], changes in changes()) {
        for format in PROFILES {
            let (old, new, mut patch) = made(format, version);
            let odd = changed(&old, &changes);
            patch[BASE_HASH].copy_from_slice(&Sha256::digest(&odd));
            if let Ok(made) = decode(format, &odd, &patch) {
                prop_assert!(made == new);
            }
        }
    }

    #[test]
    fn odd_files_round_trip_or_have_no_patch(
        version in prop_oneof![Just(96), Just(98), Just(99)], in_old in changes(), in_new in changes(), in_header: bool,
    ) {
        let (mut old, mut new) = (sample(&format!("old-{version}.hbc")), sample(&format!("new-{version}.hbc")));
        if in_header {
            // Counts and sizes, and the first functions.
            old.splice(..400, changed(&old[..400], &in_old));
            new.splice(..400, changed(&new[..400], &in_new));
        } else {
            (old, new) = (changed(&old, &in_old), changed(&new, &in_new));
        }
        for format in PROFILES {
            if let Some(patch) = encode(format, &old, &new) {
                prop_assert!(decode(format, &old, &patch).unwrap() == new);
            }
        }
    }

    #[test]
    fn edited_files_round_trip_or_have_no_patch(edits in edits()) {
        let old = sample("old-98.hbc");
        let new = edited(&old, &edits);
        for format in PROFILES {
            if let Some(patch) = encode(format, &old, &new) {
                prop_assert!(format.decode(&old, &patch, &Limits::output(new.len())).unwrap() == new);
            }
        }
    }

    #[test]
    fn nonsense_is_an_error_not_a_panic(seed: u64, size in 0_usize..2_000, base_is_bytecode: bool) {
        let base = if base_is_bytecode { sample("old-98.hbc") } else { noise(seed, 500) };
        for format in PROFILES {
            prop_assert!(decode(format, &base, &noise(seed, size)).is_err());
            let magic = if format == Format::Hermes { b"hbcd\x01\x01" } else { b"hbcd\x01\x02" };
            let head = [magic, &Sha256::digest(&base)[..], &[0; 32], &1_000_u32.to_le_bytes()].concat();
            prop_assert!(decode(format, &base, &[&head[..], &noise(seed, size)].concat()).is_err());
        }
    }
}
