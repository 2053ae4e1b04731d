//! This file's job is to check that the demo goes well from an empty folder to its end.

use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_demo_goes_well_and_exits_with_success() {
    let corpus = PathBuf::from(std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS names the bundles; run ./x test"));
    // Building it here would build it with other features than a build of the workspace does.
    let aloft = PathBuf::from(env!("CARGO_BIN_EXE_aloft-standalone")).with_file_name("aloft");
    assert!(aloft.is_file(), "{} is missing: run ./x test, or cargo build --package cli", aloft.display());
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
