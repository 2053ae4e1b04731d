//! This file's job is to run every kept input through its target, as an ordinary test.
#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Larger inputs make the repository heavy and fuzzing slow.
const INPUT_MAX_BYTES: u64 = 20 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_passes() {
    for target in fuzz::TARGETS {
        let inputs = files_in(&corpus().join(target.name));
        assert!(inputs.len() >= 2, "{} starts from almost nothing: give it real input", target.name);
        for input in inputs {
            println!("{} {}", target.name, input.display());
            (target.run)(&fs::read(input).unwrap());
        }
        (target.run)(b"");
    }
}

#[test]
fn every_kept_input_is_small_and_has_a_target() {
    for folder in files_in(&corpus()) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(fuzz::TARGETS.iter().any(|target| target.name == name), "{name} has inputs but no target");
        for input in files_in(&folder) {
            assert!(fs::metadata(&input).unwrap().len() <= INPUT_MAX_BYTES, "{} is too large", input.display());
        }
    }
}
