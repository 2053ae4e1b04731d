//! This file's job is to check that the demo goes well from an empty folder to its end.

use std::path::PathBuf;
use std::process::Command;

/// Builds the command line beside the program under test, where the demo looks for it.
fn build_aloft() {
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "cli"]).status().unwrap();
    assert!(built.success(), "the command line does not build");
}

#[test]
fn the_demo_goes_well_and_exits_with_success() {
    let corpus = PathBuf::from(std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS names the bundles; run ./x test"));
    build_aloft();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aloft-standalone"))
        .args(["--control-plane-port", "0", "--edge-port", "0", "--demo", "--exit", "--data-dir"])
        .arg(folder.path())
        .env("ALOFT_CORPUS", corpus)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    for part in ["Summary", "update by delta", "rollback, command to device"] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn a_demo_without_bundles_says_how_to_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aloft-standalone"))
        .args(["--control-plane-port", "0", "--edge-port", "0", "--demo", "--exit", "--data-dir"])
        .arg(folder.path())
        .env_remove("ALOFT_CORPUS")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("./x up --demo"));
}
