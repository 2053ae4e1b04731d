//! This file's job is to check that files with a base's numbers make small patches, and do what they did before.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod material;

use delta::{Budget, Effort, Format, renumber_strings};
use material::{corpus, edited, edits, noise};
use proptest::prelude::*;
use sha1::{Digest as _, Sha1};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program that is compiled for a bare engine needs; and every run is like the other.
const PRELUDE: &str = "
const write = print, text = (value) => JSON.stringify(value, (key, it) => typeof it === 'function' ? 'function ' + it.name : it);
globalThis.print = (...values) => write(...values.map(text));
Date.now = () => 1000;
Math.random = () => 0.5;
var console = { log: print, warn: print, error: print, info: print };
";
/// Loads every module of a Metro bundle, and prints what it exports or why it cannot be loaded without a phone.
const LOAD_ALL: &str = "
for (let module = 0; module < 1500; module++) {
  try { const it = __r(module); print(module, typeof it, Object.keys(Object(it)), it); } catch (error) { print(module, String(error)); }
}
";

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn patch_size(old: &[u8], new: &[u8]) -> usize {
    Format::Bsdiff40.encode(old, new, Effort::Quick, &Budget::UNLIMITED).unwrap().unwrap().len()
}

/// A program of the package with a Hermes for this machine.
fn engine(program: &str) -> Command {
    let package = std::env::var_os("ALOFT_TEST_HERMES").expect("ALOFT_TEST_HERMES is not set: run through ./x test");
    let platform = if cfg!(target_os = "macos") { "osx-bin" } else { "linux64-bin" };
    Command::new(PathBuf::from(package).join(platform).join(program))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The bytecode that this Hermes runs.
fn compiled(source: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let [script, bytecode] = ["script.js", "script.hbc"].map(|name| folder.path().join(name));
    std::fs::write(&script, source).unwrap();
    let said = output(engine("hermesc").args(["-w", "-O", "-emit-binary", "-out"]).args([&bytecode, &script]));
    std::fs::read(&bytecode).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What the bytecode prints.
fn run(bytecode: &[u8]) -> String {
    let file = tempfile::NamedTempFile::with_suffix(".hbc").unwrap();
    std::fs::write(&file, bytecode).unwrap();
    output(engine("hermes").arg(file.path()))
}

/// The script of a real bundle that loads every module instead of starting the app.
fn loader(version: &str) -> String {
    let bundle = String::from_utf8(corpus(version, "js")).unwrap();
    let modules = bundle.lines().filter(|line| !line.starts_with("__r("));
    format!("{PRELUDE}{}\n{LOAD_ALL}", modules.collect::<Vec<_>>().join("\n"))
}

/// Puts the hash of a damaged file right, as a compiler that made it would.
fn signed(mut file: Vec<u8>) -> Vec<u8> {
    if let Some(body) = file.len().checked_sub(20) {
        let hash = Sha1::digest(&file[..body]);
        file[body..].copy_from_slice(&hash);
    }
    file
}

#[test]
fn patches_of_real_bundles_are_a_fifth_of_what_they_were() {
    let first = corpus("v1", "hermes");
    let old = renumber_strings(&first, &corpus("v2", "hermes")).unwrap();
    let new = corpus("v3", "hermes");
    let renumbered = renumber_strings(&old, &new).unwrap();
    let (before, after) = (patch_size(&old, &new), patch_size(&old, &renumbered));
    println!("{after} bytes instead of {before}; the file has {} instead of {}", renumbered.len(), new.len());
    assert!(renumbered.len() * 1000 <= new.len() * 1003, "{} of {}", renumbered.len(), new.len());
    assert!(after * 5 <= before, "{after} of {before}");
}

#[test]
fn every_version_of_bytecode_can_be_renumbered() {
    for (base, file) in [
        ("old-89.hbc", "new-89.hbc"),
        ("old-96.hbc", "new-96.hbc"),
        ("old-98.hbc", "new-98.hbc"),
        ("old-99.hbc", "new-99.hbc"),
        ("old-96.hbc", "debug-96.hbc"),
        ("debug-98.hbc", "old-98.hbc"),
    ] {
        let (base, new) = (sample(base), sample(file));
        let renumbered = renumber_strings(&base, &new).unwrap_or_else(|| panic!("{file}"));
        assert!(patch_size(&base, &renumbered) < patch_size(&base, &new), "{file}");
        // What has the numbers has them, and nothing is left to change.
        assert!(renumber_strings(&base, &renumbered).unwrap() == renumbered, "{file}");
        assert!(renumber_strings(&base, &base).unwrap() == base);
    }
}

#[test]
fn hermes_runs_both_files_alike() {
    let [old, new] =
        ["old.js", "new.js"].map(|name| compiled(&format!("{PRELUDE}{}", String::from_utf8(sample(name)).unwrap())));
    let renumbered = renumber_strings(&old, &new).unwrap();
    let said = run(&new);
    assert!(said.contains("Heather path") && said.contains("Wednesday"), "{said}");
    assert_eq!(run(&renumbered), said);
    assert_ne!(run(&old), said);
}

#[test]
fn hermes_loads_every_module_of_a_renumbered_bundle_alike() {
    let [old, new] = ["v2", "v3"].map(|version| compiled(&loader(version)));
    let renumbered = renumber_strings(&old, &new).unwrap();
    assert!(patch_size(&old, &renumbered) * 3 < patch_size(&old, &new));
    let said = run(&new);
    assert!(said.lines().count() > 1_000, "{said}");
    assert!(run(&renumbered) == said);
    // A string that has another's number shows.
    let number = |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let texts = 128 + 16 * number(&renumbered, 40) + 4 * (number(&renumbered, 44) + number(&renumbered, 48));
    let mut swapped = renumbered;
    for name in 0..number(&swapped, 52) / 2 {
        let at = texts + 8 * name;
        swapped[at..at + 8].rotate_left(4);
    }
    assert!(run(&signed(swapped)) != said);
}

#[test]
fn hermesc_reads_the_same_instructions_in_both_files() {
    let corpus_root = PathBuf::from(std::env::var_os("ALOFT_CORPUS").unwrap()).canonicalize().unwrap();
    let tool = "corpus-work/project/node_modules/hermes-compiler/hermesc";
    let platform = if cfg!(target_os = "macos") { "osx-bin/hermesc" } else { "linux64-bin/hermesc" };
    let hermesc = corpus_root.ancestors().map(|folder| folder.join(tool)).find(|folder| folder.is_dir()).unwrap();
    let (old, new) = (corpus("v2", "hermes"), corpus("v3", "hermes"));
    let renumbered = renumber_strings(&old, &new).unwrap();
    let [new, renumbered] = [new, renumbered].map(|bytes| {
        let file = tempfile::NamedTempFile::with_suffix(".hbc").unwrap();
        std::fs::write(&file, bytes).unwrap();
        let dump =
            output(Command::new(hermesc.join(platform)).args([OsStr::new("-dump-bytecode"), file.path().as_os_str()]));
        let functions = dump.find("\nFunction<").unwrap();
        dump[functions..].lines().map(without_numbers).collect::<Vec<_>>()
    });
    assert!(new.len() > 100_000, "{}", new.len());
    assert!(new == renumbered);
}

/// Leaves the numbers out that hermesc does not replace by what they stand for.
fn without_numbers(line: &str) -> String {
    let mut words = line.split_whitespace();
    match words.next() {
        Some(name) if name.contains("WithBuffer") || ["CacheNewObject", "DefineOwnById"].contains(&name) => {
            name.to_owned()
        }
        _ => line.to_owned(),
    }
}

#[test]
fn odd_files_stay_as_they_are() {
    let (base, new) = (sample("old-98.hbc"), sample("new-98.hbc"));
    let with = |file: &[u8], at: usize, byte: u8| {
        let mut other = file.to_vec();
        other[at] = byte;
        signed(other)
    };
    let script = sample("new.js");
    let mut unsigned = new.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    // The magic number, the version, the number of functions, of strings, of CommonJS modules.
    let damaged = [(0, 0), (8, 97), (43, 0xff), (54, 1), (32 + 4 * 17, 1)];
    let damaged = damaged.iter().flat_map(|&(at, byte)| [with(&new, at, byte), with(&base, at, byte)]);
    for odd in damaged.chain([sample("new-99.hbc"), script, noise(1, 5_000), vec![], new[..100].to_vec(), unsigned]) {
        assert!(renumber_strings(&base, &odd).is_none());
        assert!(renumber_strings(&odd, &new).is_none());
    }
    assert!(renumber_strings(&base, &new).is_some());
    // Almost nothing of what fills the base's table is left.
    assert!(renumber_strings(&corpus("v1", "hermes"), &sample("new-98.hbc")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn damaged_files_never_panic(
        version in prop::sample::select(vec![89, 96, 98, 99]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        edits in edits(),
        is_base: bool,
    ) {
        let files = [sample(&format!("old-{version}.hbc")), sample(&format!("new-{version}.hbc"))];
        let mut damaged = files[usize::from(!is_base)].clone();
        for (index, value) in flips {
            let at = index.index(damaged.len());
            damaged[at] = value;
        }
        for damaged in [signed(damaged.clone()), signed(edited(&damaged, &edits))] {
            let (base, file) = if is_base { (&damaged, &files[1]) } else { (&files[0], &damaged) };
            if let Some(renumbered) = renumber_strings(base, file) {
                prop_assert!(renumbered.len() <= file.len() + file.len() / 100 * 3);
                prop_assert_eq!(&renumbered[32..36], (renumbered.len() as u32).to_le_bytes());
            }
        }
    }
}
