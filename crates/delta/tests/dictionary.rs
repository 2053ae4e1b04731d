//! This file's job is to check that dictionary patches make the new file, are small, and cannot hurt who applies them.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod material;
mod reference;

use delta::{Budget, DeltaError, Effort, Format, Limits, dcb, dcz};
use material::{corpus, edited, edits, noise};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::process::Command;

const FORMATS: [Format; 2] = [Format::Dcb, Format::Dcz];

fn encode(format: Format, base: &[u8], target: &[u8], effort: Effort) -> Vec<u8> {
    format.encode(base, target, effort, &Budget::UNLIMITED).unwrap().expect("the budget is unlimited")
}

fn decode(format: Format, base: &[u8], patch: &[u8], size_bytes: usize) -> Result<Vec<u8>, DeltaError> {
    format.decode(base, patch, &Limits::output(size_bytes))
}

/// Starts a patch for this base.
fn header(format: Format, base: &[u8]) -> Vec<u8> {
    let magic: &[u8] = match format {
        Format::Dcb => &[0xff, 0x44, 0x43, 0x42],
        _ => &[0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0],
    };
    [magic, &Sha256::digest(base)[..]].concat()
}

#[test]
fn real_bundles_become_patches_far_smaller_than_the_bundle() {
    for (kind, format) in [("hermes", Format::Dcz), ("js", Format::Dcz), ("js", Format::Dcb)] {
        let (old, new) = (corpus("v1", kind), corpus("v2", kind));
        let patch = encode(format, &old, &new, Effort::Best);
        let alone = zstd::bulk::compress(&new, 19).unwrap();
        println!("{kind} {format}: {} bytes, alone {}, patch {}", new.len(), alone.len(), patch.len());
        assert!(patch.len() * 4 < alone.len(), "{kind}: {} of {}", patch.len(), alone.len());
        assert!(decode(format, &old, &patch, new.len()).unwrap() == new, "{kind}: another file came out");
        if format == Format::Dcb {
            assert!(reference::brotli(&patch[36..], &old, new.len()) == new, "the C library makes another file");
        }
    }
}

#[test]
fn a_small_change_in_a_large_file_is_a_small_patch() {
    // Larger than every window that a level sets by itself, and the change is at the end, farthest from the base's beginning.
    let base = noise(1, 7 << 20);
    let mut target = base.clone();
    target.truncate((7 << 20) - 5);
    target.extend_from_slice(b"changed");
    for format in FORMATS {
        let patch = encode(format, &base, &target, Effort::Quick);
        assert!(patch.len() < 40_000, "{format}: {}", patch.len());
        assert!(decode(format, &base, &patch, target.len()).unwrap() == target);
    }
}

#[test]
fn files_that_do_not_fit_brotlis_window_get_no_dcb_patch() {
    let (base, target) = (noise(2, 9 << 20), noise(2, 8 << 20));
    assert_eq!(dcb::encode(&base, &target, Effort::Quick, &Budget::UNLIMITED).unwrap(), None);
}

#[test]
fn a_small_or_spent_budget_gives_no_patch() {
    let (base, target) = (noise(2, 50_000), noise(2, 49_000));
    for format in FORMATS {
        let small = Budget { memory_max_bytes: 100_000, should_stop: &|| false };
        let spent = Budget { memory_max_bytes: usize::MAX, should_stop: &|| true };
        assert_eq!(format.encode(&base, &target, Effort::Best, &small).unwrap(), None);
        assert_eq!(format.encode(&base, &target, Effort::Best, &spent).unwrap(), None);
    }
}

#[test]
fn a_patch_begins_as_the_standard_says_and_names_its_base() {
    let (base, target) = (noise(2, 50_000), noise(2, 49_000));
    for format in FORMATS {
        let patch = encode(format, &base, &target, Effort::Best);
        assert!(patch.starts_with(&header(format, &base)));
    }
    let hash = Sha256::digest(&base);
    assert_eq!(dcb::base_sha256(&encode(Format::Dcb, &base, &target, Effort::Best)).unwrap()[..], hash[..]);
    assert_eq!(dcz::base_sha256(&encode(Format::Dcz, &base, &target, Effort::Best)).unwrap()[..], hash[..]);
}

#[test]
fn the_zstd_program_applies_our_patches() {
    let folder = tempfile::tempdir().unwrap();
    let (base, target) = (noise(5, 300_000), [&noise(5, 200_000)[..], b"new", &noise(5, 90_000)].concat());
    let patch = encode(Format::Dcz, &base, &target, Effort::Best);
    // The program skips the first frame of a file by itself.
    let [old, file, out] = ["old", "patch.zst", "out"].map(|name| folder.path().join(name));
    std::fs::write(&old, &base).unwrap();
    std::fs::write(&file, &patch).unwrap();
    let argument = format!("--patch-from={}", old.display());
    let run = Command::new("zstd").args(["-d", "-f", "-q", &argument]).arg(&file).arg("-o").arg(&out).output();
    let run = run.expect("the zstd program is installed: run through ./x test");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(std::fs::read(&out).unwrap() == target);
}

#[test]
fn patches_of_the_c_library_are_applied_also_where_the_base_lies_before_the_window() {
    let base = noise(10, 400_000);
    let target = [&base[300_000..], &noise(11, 2_000), &base[..250_000]].concat();
    for window_log in [16, 18, 24] {
        let stream = reference::brotli_encode(&target, &base, window_log);
        assert!(stream.len() < 10_000, "window {window_log}: {} bytes: the dictionary was not used", stream.len());
        let patch = [header(Format::Dcb, &base), stream].concat();
        assert!(decode(Format::Dcb, &base, &patch, target.len()).unwrap() == target, "window {window_log}");
    }
}

#[test]
fn an_output_larger_than_allowed_is_refused_before_it_is_made() {
    let base = noise(6, 10_000);
    let target = [&base[..], &vec![0; 15 << 20]].concat();
    for format in FORMATS {
        let patch = encode(format, &base, &target, Effort::Quick);
        assert_eq!(decode(format, &base, &patch, 1_000_000), Err(DeltaError::TooLarge { max_bytes: 1_000_000 }));
        assert_eq!(decode(format, &base, &patch, target.len()).unwrap().len(), target.len());
    }
}

#[test]
fn windows_larger_than_the_memory_are_refused() {
    let (base, target) = (noise(6, 5 << 20), noise(6, 6 << 20));
    for format in FORMATS {
        let patch = encode(format, &base, &target, Effort::Quick);
        let limits = Limits { output_max_bytes: target.len(), memory_max_bytes: 7 << 20 };
        assert!(format.decode(&base, &patch, &limits).is_err(), "{format}");
        let limits = Limits { memory_max_bytes: 24 << 20, ..limits };
        assert!(format.decode(&base, &patch, &limits).unwrap() == target, "{format}");
    }
}

#[test]
fn a_frame_that_hides_its_size_is_cut_off_at_the_limit() {
    let base = noise(7, 1_000);
    let mut frame = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), 3, &base).unwrap();
    std::io::Write::write_all(&mut frame, &vec![0; 8 << 20]).unwrap();
    let patch = [header(Format::Dcz, &base), frame.finish().unwrap()].concat();
    assert!(decode(Format::Dcz, &base, &patch, 1_000_000).is_err());
    assert!(decode(Format::Dcz, &base, &patch, 8 << 20).is_ok());
}

#[test]
fn patches_for_other_bases_cut_ones_and_longer_ones_are_refused() {
    let (base, target) = (noise(8, 60_000), noise(8, 50_000));
    for format in FORMATS {
        let patch = encode(format, &base, &target, Effort::Best);
        assert_eq!(decode(format, &noise(9, 60_000), &patch, 1 << 20), Err(DeltaError::OtherBase));
        for end in 0..patch.len() {
            assert!(decode(format, &base, &patch[..end], 1 << 20).is_err(), "{format} cut at {end}");
        }
        let longer = [&patch[..], b"x"].concat();
        assert!(matches!(decode(format, &base, &longer, 1 << 20), Err(DeltaError::Broken(_))), "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_bundles_round_trip(
        kind in prop_oneof![Just("hermes"), Just("js")], from: prop::sample::Index, edits in edits(),
    ) {
        let whole = corpus("v1", kind);
        let from = from.index(whole.len() - 60_000);
        let base = &whole[from..from + 60_000];
        let target = edited(base, &edits);
        for format in FORMATS {
            let patch = encode(format, base, &target, Effort::Best);
            prop_assert!(decode(format, base, &patch, target.len()).unwrap() == target);
            if !target.is_empty() {
                prop_assert!(decode(format, base, &patch, target.len() - 1).is_err());
            }
            if format == Format::Dcb {
                prop_assert!(reference::brotli(&patch[36..], base, target.len()) == target);
            }
        }
    }

    #[test]
    fn flipped_bits_never_hurt(seed: u64, flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..8)) {
        let base = noise(seed, 20_000);
        let target = [&base[5_000..], b"news", &base[..9_000]].concat();
        for format in FORMATS {
            let mut patch = encode(format, &base, &target, Effort::Quick);
            for (index, bit) in &flips {
                let position = index.index(patch.len());
                patch[position] ^= 1 << bit;
            }
            // Zstandard's frame carries a checksum; Brotli has none, so the caller's is what finds another file.
            if let Ok(made) = decode(format, &base, &patch, 1 << 20) {
                prop_assert!(made.len() <= 1 << 20);
                prop_assert!(format == Format::Dcb || made == target);
            }
        }
    }

    #[test]
    fn nonsense_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in FORMATS {
            let patch = [&header(format, b"base"), &bytes[..]].concat();
            prop_assert!(decode(format, b"base", &patch, 10_000).map_or(true, |made| made.len() <= 10_000));
            prop_assert!(decode(format, b"base", &bytes, 10_000).is_err());
        }
    }
}
