//! This file's job is to name what tests over several rooms need: real processes, in both shapes.
#![expect(clippy::expect_used, reason = "a test that cannot get its processes must stop and say why")]

pub mod cli;
pub mod stack;

use std::path::PathBuf;
pub use testkit::{fault, process};

/// Returns one version of the example app as Metro and hermesc made it, for instance `("v1", "android/hermes")`.
///
/// # Panics
/// When the corpus is missing: the test command makes it.
#[must_use]
pub fn corpus(version: &str, kind: &str) -> PathBuf {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is set: run the tests through `./x test`");
    let folder = PathBuf::from(root).join(version).join(kind);
    assert!(folder.is_dir(), "{} is missing", folder.display());
    folder
}
