//! This file's job is to check that C programs can apply patches with the library and its header.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Cargo builds the static library beside this test, with the rest of what the test depends on.
fn library() -> PathBuf {
    let built = std::env::current_exe().unwrap();
    let entries = std::fs::read_dir(built.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    let is_library = |name: &str| name.starts_with("libaloft_delta") && name.ends_with(".a");
    let libraries = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_library));
    let newest = libraries.max_by_key(|entry| entry.metadata().unwrap().modified().unwrap());
    newest.expect("cargo builds the static library").path()
}

fn compiled(to: &Path) -> PathBuf {
    let program = to.join("apply");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o"]).arg(&program);
    compiler.arg("-I").arg(folder().join("include")).arg(folder().join("tests/apply.c")).arg(library());
    let run = compiler.args(["-lpthread", "-ldl", "-lm"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    program
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_c_program_applies_patches_of_every_format_and_refuses_what_cannot_work() {
    let place = tempfile::tempdir().unwrap();
    let program = compiled(place.path());
    let samples = folder().join("tests/samples");
    let bytecode = folder().join("../delta/tests/samples");
    let [text, bytecode] = [
        [samples.join("old.txt"), samples.join("new.txt")],
        ["old", "new"].map(|name| bytecode.join(format!("{name}-98.hbc"))),
    ];
    for (format, [old, new]) in
        [("bsdiff40", &text), ("dcb", &text), ("dcz", &text), ("hbc1", &bytecode), ("hbc2", &bytecode)]
    {
        let files = [old, &samples.join(format!("patch.{format}")), new];
        let (old, new) = (std::fs::read(old).unwrap(), std::fs::read(new).unwrap());
        let run = Command::new(&program).arg(format).args(files).args([hexadecimal(&old), hexadecimal(&new)]).status();
        let code = run.unwrap().code();
        assert_eq!(code, Some(0), "{format}: see apply.c for what the code means");
    }
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_source() {
    let configuration = cbindgen::Config::from_file(folder().join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_config(configuration).with_src(folder().join("src/lib.rs")).generate();
    let mut made = Vec::new();
    bindings.unwrap().write(&mut made);
    let header = folder().join("include/aloft_delta.h");
    if std::env::var_os("ALOFT_WRITE_HEADER").is_some() {
        std::fs::write(&header, &made).unwrap();
    }
    let checked_in = std::fs::read_to_string(&header).unwrap_or_default();
    assert!(checked_in == String::from_utf8(made).unwrap(), "run this test once with ALOFT_WRITE_HEADER=1");
}
