//! This file's job is to hand what the engine makes up to one target.
#![no_main]

use fuzz::{TARGETS, Target};
use std::sync::OnceLock;

/// Names the target.
const VARIABLE: &str = "ALOFT_FUZZ_TARGET";

fn chosen() -> Target {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    *TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("{VARIABLE} must be one of {}", names()))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    (TARGET.get_or_init(chosen).run)(bytes);
});
