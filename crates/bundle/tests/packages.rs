//! This file's job is to unpack packages and diffs as CodePush's clients do, and to compare hashes with theirs.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use bundle::{Limits, read_archive, write_package, write_package_diff};
use domain::Sha256;
use domain::bundle::{ArchiveFormat, BundleFile, FileRole};
use domain::codepush::package_hash;
use std::collections::BTreeMap;
use std::io::Cursor;

/// Paths with contents.
type Folder = BTreeMap<String, Vec<u8>>;

/// A package as npm's `code-push-cli` 3.0.0 hashed it.
const RECORDED: &[u8] = include_bytes!("vectors/codepush-package.tgz");
const RECORDED_HASH: &str = "9077d124f372b684d139c9831e4eb18205d6bf435c63b51288c30621634fa190";

fn files(folder: &Folder) -> Vec<BundleFile> {
    let file = |(path, bytes): (&String, &Vec<u8>)| {
        let role = if path.ends_with("bundle") { FileRole::Launch } else { FileRole::Asset };
        BundleFile { path: path.clone(), sha256: Sha256::of(bytes), size_bytes: bytes.len() as u64, role }
    };
    folder.iter().map(file).collect()
}

fn folder(entries: &[(&str, &str)]) -> Folder {
    entries.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn unpack(format: ArchiveFormat, archive: &[u8]) -> Folder {
    let mut found = Folder::new();
    let mut take = |path: &str, bytes: &mut dyn std::io::Read| {
        let mut content = Vec::new();
        bytes.read_to_end(&mut content)?;
        found.insert(path.to_owned(), content);
        Ok(())
    };
    let archive = {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, archive).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file
    };
    read_archive(format, archive, &Limits::default(), &mut take).unwrap();
    found
}

fn whole(content: &Folder) -> Vec<u8> {
    let mut zip = Cursor::new(Vec::new());
    write_package(&files(content), &mut |file| Ok(content[&file.path].clone()), &mut zip).unwrap();
    zip.into_inner()
}

fn diff(from: &Folder, to: &Folder) -> Vec<u8> {
    let mut zip = Cursor::new(Vec::new());
    write_package_diff(&files(from), &files(to), &mut |file| Ok(to[&file.path].clone()), &mut zip).unwrap();
    zip.into_inner()
}

/// What a client has after it took the diff.
fn apply(from: &Folder, diff: &[u8]) -> Folder {
    let mut result: Folder = unpack(ArchiveFormat::Zip, &whole(from));
    let mut changes = unpack(ArchiveFormat::Zip, diff);
    let manifest: serde_json::Value = serde_json::from_slice(&changes.remove("hotcodepush.json").unwrap()).unwrap();
    for path in manifest["deletedFiles"].as_array().unwrap() {
        result.remove(path.as_str().unwrap());
    }
    result.extend(changes);
    result
}

#[test]
fn a_package_has_the_hash_that_the_official_tool_computed() {
    let recorded = unpack(ArchiveFormat::TarGzip, RECORDED);
    let inside =
        recorded.into_iter().filter_map(|(path, bytes)| Some((path.strip_prefix("CodePush/")?.to_owned(), bytes)));
    assert_eq!(package_hash(&files(&inside.collect())).to_hex(), RECORDED_HASH);
}

#[test]
fn a_package_is_the_files_in_one_folder_and_the_same_bytes_each_time() {
    let content = folder(&[("main.jsbundle", "code"), ("assets/größe.png", "png"), ("empty", "")]);
    let zip = whole(&content);
    assert_eq!(&zip[..4], b"PK\x03\x04", "clients tell packages from plain files by this");
    assert_eq!(zip, whole(&content));
    let unpacked = unpack(ArchiveFormat::Zip, &zip);
    assert_eq!(
        unpacked.keys().collect::<Vec<_>>(),
        ["CodePush/assets/größe.png", "CodePush/empty", "CodePush/main.jsbundle"]
    );
    assert_eq!(unpacked["CodePush/assets/größe.png"], b"png");
}

#[test]
fn a_diff_turns_one_package_into_the_other() {
    let old = folder(&[("main.jsbundle", "one"), ("assets/kept.png", "kept"), ("assets/gone.png", "gone")]);
    let new = folder(&[("main.jsbundle", "two"), ("assets/kept.png", "kept"), ("assets/new.png", "new")]);
    for (from, to) in [(&old, &new), (&new, &old), (&old, &old)] {
        let zip = diff(from, to);
        assert_eq!(apply(from, &zip), unpack(ArchiveFormat::Zip, &whole(to)));
        assert!(!unpack(ArchiveFormat::Zip, &zip).contains_key("CodePush/assets/kept.png"));
    }
}

#[test]
fn a_signature_is_always_brought_or_taken_away() {
    let plain = folder(&[("main.jsbundle", "one")]);
    let mut signed = plain.clone();
    signed.insert(".codepushrelease".into(), b"jwt".to_vec());
    let to_signed = unpack(ArchiveFormat::Zip, &diff(&signed, &signed));
    assert_eq!(to_signed["CodePush/.codepushrelease"], b"jwt");
    assert_eq!(apply(&signed, &diff(&plain, &plain)), unpack(ArchiveFormat::Zip, &whole(&plain)));
}
