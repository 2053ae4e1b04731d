//! This file's job is to check that BSDIFF40 patches are small, that `bspatch` applies them, and that they cannot hurt who applies them.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod material;

use delta::{Budget, DeltaError, Effort, Limits, bsdiff40};
use material::{corpus, edited, edits, noise};
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

fn encode(base: &[u8], target: &[u8]) -> Vec<u8> {
    bsdiff40::encode(base, target, Effort::Quick, &Budget::UNLIMITED).unwrap().expect("the budget is unlimited")
}

fn decode(base: &[u8], patch: &[u8], size_bytes: usize) -> Result<Vec<u8>, DeltaError> {
    bsdiff40::decode(base, patch, &Limits::output(size_bytes))
}

fn run(program: &str, files: [&Path; 3]) {
    let run = Command::new(program).args(files).output();
    let run = run.unwrap_or_else(|error| panic!("{program}: {error}: run through ./x test"));
    assert!(run.status.success(), "{program}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Applies a patch with Debian's program.
fn bspatch(base: &[u8], patch: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, file] = ["old", "new", "patch"].map(|name| folder.path().join(name));
    std::fs::write(&old, base).unwrap();
    std::fs::write(&file, patch).unwrap();
    run("bspatch", [&old, &new, &file]);
    std::fs::read(&new).unwrap()
}

/// Makes a patch with Debian's program.
fn bsdiff(base: &[u8], target: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, file] = ["old", "new", "patch"].map(|name| folder.path().join(name));
    std::fs::write(&old, base).unwrap();
    std::fs::write(&new, target).unwrap();
    run("bsdiff", [&old, &new, &file]);
    std::fs::read(&file).unwrap()
}

#[test]
fn patches_of_real_bundles_are_smaller_than_those_of_bsdiff_and_bspatch_applies_them() {
    for (kind, from, to, percent) in [("js", "v2", "v3", 92), ("hermes", "v2", "v3", 95), ("hermes", "v1", "v2", 100)] {
        let (old, new) = (corpus(from, kind), corpus(to, kind));
        let (ours, stock) = (encode(&old, &new), bsdiff(&old, &new));
        println!("{kind} {from} {to}: {} bytes, bsdiff {}", ours.len(), stock.len());
        assert!(ours.len() * 100 <= stock.len() * percent, "{kind}: {} of {}", ours.len(), stock.len());
        assert!(bspatch(&old, &ours) == new, "{kind}: bspatch makes another file");
        assert!(decode(&old, &ours, new.len()).unwrap() == new, "{kind}: another file came out");
        assert!(decode(&old, &stock, new.len()).unwrap() == new, "{kind}: a patch of bsdiff makes another file");
    }
}

#[test]
fn the_best_effort_is_no_larger_than_the_quick_one() {
    let (old, new) = (&corpus("v1", "js")[..300_000], &corpus("v4", "js")[..300_000]);
    let quick = encode(old, new);
    let best = bsdiff40::encode(old, new, Effort::Best, &Budget::UNLIMITED).unwrap().unwrap();
    println!("quick {}, best {}, bsdiff {}", quick.len(), best.len(), bsdiff(old, new).len());
    assert!(best.len() <= quick.len());
    assert!(bspatch(old, &best) == new);
}

#[test]
fn empty_files_and_files_without_anything_in_common_work() {
    let (one, other) = (noise(1, 5_000), noise(2, 4_000));
    let zeros = vec![0; 3_000_000];
    for (old, new) in
        [(&one[..], &other[..]), (b"", &one), (&one, b""), (b"", b""), (b"a", b"b"), (&zeros, &one), (&one, &zeros)]
    {
        let patch = encode(old, new);
        assert!(patch.len() <= new.len() + new.len() / 10 + 200, "{} for {}", patch.len(), new.len());
        assert!(decode(old, &patch, new.len()).unwrap() == new);
        assert!(bspatch(old, &patch) == new);
    }
}

#[test]
fn a_spent_budget_gives_no_patch_and_a_small_one_neither() {
    let (old, new) = (noise(3, 50_000), noise(3, 60_000));
    let spent = Budget { memory_max_bytes: usize::MAX, should_stop: &|| true };
    let small = Budget { memory_max_bytes: 1_000_000, should_stop: &|| false };
    for budget in [&spent, &small] {
        // A budget that is spent at once still may give the first, plain patch; it must work.
        if let Some(patch) = bsdiff40::encode(&old, &new, Effort::Best, budget).unwrap() {
            assert!(decode(&old, &patch, new.len()).unwrap() == new);
        }
    }
    assert_eq!(bsdiff40::encode(&old, &new, Effort::Best, &small).unwrap(), None);
}

#[test]
fn outputs_and_memory_beyond_the_limits_are_refused_before_they_are_made() {
    let (old, new) = (noise(4, 20_000), noise(4, 30_000));
    let patch = encode(&old, &new);
    assert_eq!(decode(&old, &patch, 29_999), Err(DeltaError::TooLarge { max_bytes: 29_999 }));
    let limits = Limits { output_max_bytes: 30_000, memory_max_bytes: 1 << 20 };
    assert_eq!(bsdiff40::decode(&old, &patch, &limits), Err(DeltaError::Memory { max_bytes: 1 << 20 }));
}

#[test]
fn a_patch_that_is_cut_off_is_refused_unless_only_checksums_are_missing() {
    let (old, new) = (noise(5, 10_000), [&noise(5, 9_000)[..], b"new", &noise(6, 500)].concat());
    let patch = encode(&old, &new);
    for end in 0..patch.len() {
        let made = decode(&old, &patch[..end], 1 << 20);
        // The end of a bzip2 stream is a marker and a checksum, which `bspatch` does not look at either: the caller's hash is better.
        let allowed = made.is_err() || (end + 20 > patch.len() && made == Ok(new.clone()));
        assert!(allowed, "cut at {end} of {}", patch.len());
    }
}

#[test]
fn numbers_at_the_ends_of_their_range_are_errors() {
    let (old, new) = (noise(7, 1_000), noise(7, 2_000));
    let patch = encode(&old, &new);
    for at in [8, 16, 24] {
        for number in [u64::MAX, u64::MAX >> 1, 1 << 63, (1 << 63) | 1] {
            let mut broken = patch.clone();
            broken[at..at + 8].copy_from_slice(&number.to_le_bytes());
            assert!(decode(&old, &broken, 1 << 20).map_or(true, |made| made.is_empty()), "{number:x} at {at}");
        }
    }
    for step in [[i64::MAX, 0, 0], [-1, 0, 0], [0, -1, 0], [0, i64::MAX, 0], [0, 0, i64::MAX], [1, 1, i64::MIN]] {
        // Steps of our own, twice, so that the position moves twice; numbers have a sign bit.
        let number = |value: i64| value.unsigned_abs().min(u64::MAX >> 1) | if value < 0 { 1 << 63 } else { 0 };
        let control: Vec<u8> = step.iter().chain(&step).flat_map(|&value| number(value).to_le_bytes()).collect();
        let _ = decode(&old, &container(&control, &[0; 64], &[0; 64], 2_000), 1 << 20);
    }
}

#[test]
fn steps_without_output_end() {
    let control = vec![0; 24 * 100_000];
    let made = decode(b"", &container(&control, &[], &[], 10), 1 << 20);
    assert_eq!(made, Err(DeltaError::Broken("too many steps without output".into())));
}

#[test]
fn old_bytes_outside_of_the_file_count_as_zero() {
    let mut control = Vec::new();
    for number in [0_u64, 0, (1 << 63) | 2, 6, 0, 0] {
        control.extend_from_slice(&number.to_le_bytes());
    }
    let patch = container(&control, &[1, 1, 1, 1, 1, 1], &[], 6);
    let expected = [1, 1, 11, 12, 1, 1];
    assert_eq!(decode(&[10, 11], &patch, 6).unwrap(), expected);
    assert_eq!(bspatch(&[10, 11], &patch), expected);
}

/// Puts a patch together.
fn container(control: &[u8], difference: &[u8], extra: &[u8], size_bytes: u64) -> Vec<u8> {
    let compress = |block: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = bzip2::read::BzEncoder::new(block, bzip2::Compression::best());
        std::io::Read::read_to_end(&mut encoder, &mut bytes).unwrap();
        bytes
    };
    let [control, difference, extra] = [control, difference, extra].map(compress);
    let sizes = [control.len() as u64, difference.len() as u64, size_bytes].map(u64::to_le_bytes).concat();
    [b"BSDIFF40", &sizes[..], &control, &difference, &extra].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_bundles_round_trip_and_are_no_larger_than_with_bsdiff(
        kind in prop_oneof![Just("hermes"), Just("js")], from: prop::sample::Index, edits in edits(),
    ) {
        let whole = corpus("v1", kind);
        let from = from.index(whole.len() - 60_000);
        let old = &whole[from..from + 60_000];
        let new = edited(old, &edits);
        let patch = bsdiff40::encode(old, &new, Effort::Best, &Budget::UNLIMITED).unwrap().unwrap();
        prop_assert!(decode(old, &patch, new.len()).unwrap() == new);
        let stock = bsdiff(old, &new);
        prop_assert!(patch.len() <= stock.len(), "{} of {}", patch.len(), stock.len());
        prop_assert!(bspatch(old, &patch) == new);
    }

    #[test]
    fn flipped_bits_are_errors_or_another_file_within_the_limits(
        seed: u64, flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..8),
    ) {
        let (old, new) = (noise(seed, 9_000), [&noise(seed, 5_000)[..], b"news", &noise(seed, 8_000)[4_000..]].concat());
        let mut patch = encode(&old, &new);
        for (index, bit) in flips {
            let position = index.index(patch.len());
            patch[position] ^= 1 << bit;
        }
        if let Ok(made) = decode(&old, &patch, 20_000) {
            prop_assert!(made.len() <= 20_000);
        }
    }

    #[test]
    fn nonsense_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(b"base", &bytes, 10_000).is_err());
        let headed = [b"BSDIFF40", &bytes[..]].concat();
        prop_assert!(decode(b"base", &headed, 10_000).map_or(true, |made| made.is_empty()));
    }
}
