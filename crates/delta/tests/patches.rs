//! This file's job is to check that patches make the new file from the old one, are small, and cannot hurt who applies them.

use delta::{DeltaError, LEVEL_DEFAULT, base_sha256, decode, encode};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::process::Command;

/// Bytes that no compressor can shrink, always the same.
fn noise(seed: u64, size_bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size_bytes).map(|_| next()).collect()
}

fn corpus(version: &str, kind: &str) -> Vec<u8> {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is not set: run through ./x test");
    let path = PathBuf::from(root).join(version).join("android").join(kind).join("index.android.bundle");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn real_bundles_become_patches_far_smaller_than_the_bundle() {
    for kind in ["hermes", "js"] {
        let (old, new) = (corpus("v1", kind), corpus("v2", kind));
        let patch = encode(&old, &new, LEVEL_DEFAULT).unwrap().expect("a patch is worth it");
        let alone = zstd::bulk::compress(&new, LEVEL_DEFAULT).unwrap();
        println!("{kind}: {} bytes, alone {}, patch {}", new.len(), alone.len(), patch.len());
        assert!(patch.len() * 4 < alone.len(), "{kind}: {} of {}", patch.len(), alone.len());
        assert!(decode(&old, &patch, new.len()).unwrap() == new, "{kind}: another file came out");
    }
}

#[test]
fn a_small_change_in_a_large_file_is_a_small_patch() {
    // Larger than every window that a level sets by itself, and the change is at the end, farthest from the base's beginning.
    let base = noise(1, 12 << 20);
    let mut target = base.clone();
    target.truncate((12 << 20) - 5);
    target.extend_from_slice(b"changed");
    let patch = encode(&base, &target, 3).unwrap().unwrap();
    assert!(patch.len() < 40_000, "{}", patch.len());
    assert!(decode(&base, &patch, target.len()).unwrap() == target);
}

#[test]
fn a_patch_begins_as_the_standard_says_and_names_its_base() {
    let (base, target) = (noise(2, 50_000), noise(2, 49_000));
    let patch = encode(&base, &target, 19).unwrap().unwrap();
    assert_eq!(patch[..8], [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0]);
    assert_eq!(patch[8..40], Sha256::digest(&base)[..]);
    assert_eq!(base_sha256(&patch).unwrap()[..], Sha256::digest(&base)[..]);
}

#[test]
fn a_patch_that_saves_little_is_not_made() {
    assert_eq!(encode(&noise(3, 100_000), &noise(4, 100_000), 19).unwrap(), None);
    assert_eq!(encode(b"", b"", 19).unwrap(), None);
}

#[test]
fn the_zstd_program_applies_our_patches() {
    let folder = std::env::temp_dir().join(format!("aloft-delta-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (base, target) = (noise(5, 300_000), [&noise(5, 200_000)[..], b"new", &noise(5, 90_000)].concat());
    let patch = encode(&base, &target, 19).unwrap().unwrap();
    // The program skips the first frame of a file by itself.
    let (old, file, out) = (folder.join("old"), folder.join("patch.zst"), folder.join("out"));
    std::fs::write(&old, &base).unwrap();
    std::fs::write(&file, &patch).unwrap();
    let argument = format!("--patch-from={}", old.display());
    let run = Command::new("zstd").args(["-d", "-f", "-q", &argument]).arg(&file).arg("-o").arg(&out).output();
    let run = run.expect("the zstd program is installed: run through ./x test");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let made = std::fs::read(&out).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(made == target);
}

#[test]
fn an_output_larger_than_allowed_is_refused_before_it_is_made() {
    let base = noise(6, 10_000);
    let target = [&base[..], &vec![0; 40 << 20]].concat();
    let patch = encode(&base, &target, 3).unwrap();
    let patch = patch.unwrap_or_else(|| {
        // Zeros compress so well alone that no patch is made; a hostile one is easy to build.
        [
            &[0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0][..],
            &Sha256::digest(&base),
            &zstd::bulk::compress(&target, 3).unwrap(),
        ]
        .concat()
    });
    assert_eq!(decode(&base, &patch, 1_000_000), Err(DeltaError::TooLarge { max_bytes: 1_000_000 }));
    assert_eq!(decode(&base, &patch, target.len()).unwrap().len(), target.len());
}

#[test]
fn a_frame_that_hides_its_size_is_cut_off_at_the_limit() {
    let base = noise(7, 1_000);
    let mut frame = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), 3, &base).unwrap();
    std::io::Write::write_all(&mut frame, &vec![0; 8 << 20]).unwrap();
    let frame = frame.finish().unwrap();
    let patch = [&[0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0][..], &Sha256::digest(&base), &frame].concat();
    assert!(decode(&base, &patch, 1_000_000).is_err());
    assert!(decode(&base, &patch, 8 << 20).is_ok());
}

#[test]
fn patches_for_other_bases_cut_ones_and_longer_ones_are_refused() {
    let (base, target) = (noise(8, 60_000), noise(8, 50_000));
    let patch = encode(&base, &target, 19).unwrap().unwrap();
    assert_eq!(decode(&noise(9, 60_000), &patch, 1 << 20), Err(DeltaError::OtherBase));
    for end in 0..patch.len() {
        assert!(decode(&base, &patch[..end], 1 << 20).is_err(), "cut at {end}");
    }
    let longer = [&patch[..], b"x"].concat();
    assert_eq!(decode(&base, &longer, 1 << 20), Err(DeltaError::Broken("bytes behind the frame".into())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decoded_is_what_was_encoded(
        seed: u64, size in 0_usize..60_000, cut in 0_usize..60_000, insert in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let base = noise(seed, size);
        let cut = cut.min(size);
        let target = [&base[..cut], &insert, &base[cut / 2..]].concat();
        if let Some(patch) = encode(&base, &target, 3).unwrap() {
            prop_assert!(decode(&base, &patch, target.len()).unwrap() == target);
            if !target.is_empty() {
                prop_assert!(decode(&base, &patch, target.len() - 1).is_err());
            }
        }
    }

    #[test]
    fn flipped_bits_never_give_another_file(seed: u64, flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..8)) {
        let base = noise(seed, 20_000);
        let target = [&base[5_000..], b"news", &base[..9_000]].concat();
        let mut patch = encode(&base, &target, 3).unwrap().unwrap();
        for (index, bit) in flips {
            let position = index.index(patch.len());
            patch[position] ^= 1 << bit;
        }
        // The frame carries a checksum; where it is the flipped part, the output may still be right.
        if let Ok(made) = decode(&base, &patch, 1 << 20) {
            prop_assert!(made == target);
        }
    }

    #[test]
    fn nonsense_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let patch = [&[0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0][..], &Sha256::digest(b"base"), &bytes].concat();
        prop_assert!(decode(b"base", &patch, 10_000).map_or(true, |made| made.len() <= 10_000));
        prop_assert!(decode(b"base", &bytes, 10_000).is_err());
    }
}
