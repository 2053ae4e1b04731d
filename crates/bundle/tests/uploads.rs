//! This file's job is to check that what people upload is recognised, and that mistakes are named.

use bundle::{
    Detected, Error, Input, Layout, Limits, Refusal, ScannedFile, SkipReason, detect, pack, read_archive, scan,
};
use domain::bundle::{ArchiveFormat, Engine, FileRole};
use domain::warning::WarningKind;
use domain::{Platform, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

fn hermes(length_bytes: usize) -> Vec<u8> {
    let mut bytes = 0x1f19_03c1_03bc_1fc6_u64.to_le_bytes().to_vec();
    bytes.extend_from_slice(&98_u32.to_le_bytes());
    bytes.extend_from_slice(&[7; 20]);
    bytes.extend_from_slice(&(length_bytes as u32).to_le_bytes());
    bytes.resize(length_bytes, 0);
    bytes
}

fn detect_files(files: &[(&str, &[u8])], platform: Platform) -> Result<Detected, Error> {
    let bytes: BTreeMap<&str, &[u8]> = files.iter().copied().collect();
    let inputs: Vec<Input> = files
        .iter()
        .map(|(path, bytes)| Input {
            path: (*path).to_owned(),
            sha256: Sha256::of(bytes),
            size_bytes: bytes.len() as u64,
        })
        .collect();
    detect(&inputs, platform, &mut |path, max| Ok(bytes[path][..bytes[path].len().min(max)].to_vec()))
}

fn refusal(files: &[(&str, &[u8])], platform: Platform) -> Refusal {
    match detect_files(files, platform) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn paths(detected: &Detected) -> Vec<(&str, FileRole)> {
    detected.files.iter().map(|file| (file.path.as_str(), file.role)).collect()
}

fn corpus(path: &str) -> PathBuf {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is not set: run through ./x test");
    PathBuf::from(root).join(path)
}

fn detect_scanned(scanned: &[ScannedFile], platform: Platform) -> Result<Detected, Error> {
    let inputs: Vec<Input> = scanned.iter().map(|file| file.input.clone()).collect();
    detect(&inputs, platform, &mut |path, max| {
        let file = scanned.iter().find(|file| file.input.path == path).expect("a scanned path");
        let mut start = Vec::new();
        std::fs::File::open(&file.location)?.take(max as u64).read_to_end(&mut start)?;
        Ok(start)
    })
}

#[test]
fn real_folders_are_recognised_and_survive_packing() {
    for (platform, folder, launch) in [
        (Platform::Android, "v1/android/hermes", "index.android.bundle"),
        (Platform::Ios, "v1/ios/hermes", "main.jsbundle"),
        (Platform::Android, "v2/android/js", "index.android.bundle"),
        (Platform::Ios, "v2/ios/js", "main.jsbundle"),
    ] {
        let scanned = scan(&corpus(folder)).unwrap();
        let detected = detect_scanned(&scanned, platform).unwrap();
        let is_hermes = folder.ends_with("hermes");
        assert_eq!(detected.launch_path, launch, "{folder}");
        assert_eq!(detected.engine, if is_hermes { Engine::Hermes } else { Engine::JavaScript }, "{folder}");
        assert_eq!(detected.hermes_version.is_some(), is_hermes, "{folder}");
        assert_eq!((detected.layout, &detected.warnings), (Layout::Folder, &vec![]), "{folder}");
        assert_eq!(detected.files.len(), scanned.len(), "{folder}");
        let mut archive = Vec::new();
        let packed = pack(&scanned, &HashSet::new(), &mut archive).unwrap();
        assert_eq!((packed.sha256, packed.size_bytes), (Sha256::of(&archive), archive.len() as u64));
        let mut found = Vec::new();
        read_archive(ArchiveFormat::TarZstd, Cursor::new(&archive), &Limits::default(), &mut |path, bytes| {
            let mut content = Vec::new();
            bytes.read_to_end(&mut content)?;
            found.push(Input { path: path.to_owned(), sha256: Sha256::of(&content), size_bytes: content.len() as u64 });
            Ok(())
        })
        .unwrap();
        assert!(found.iter().eq(scanned.iter().map(|file| &file.input)), "{folder}");
    }
}

#[test]
fn a_real_expo_export_gives_the_files_of_one_platform() {
    let scanned = scan(&corpus("expo/v1")).unwrap();
    for &platform in Platform::ALL {
        let detected = detect_scanned(&scanned, platform).unwrap();
        assert_eq!((detected.layout, detected.engine), (Layout::Expo, Engine::Hermes));
        assert!(detected.launch_path.starts_with(&format!("_expo/static/js/{platform}/")), "{}", detected.launch_path);
        assert!(detected.files.len() > 1);
        // What detecting named as its sources is enough to detect the same again.
        let sent: Vec<ScannedFile> =
            scanned.iter().filter(|file| detected.sources.contains(&file.input.path)).cloned().collect();
        let again = detect_scanned(&sent, platform).unwrap();
        assert_eq!((&again.files, &again.launch_path), (&detected.files, &detected.launch_path));
        assert_eq!(again.skipped, []);
    }
}

#[test]
fn the_same_content_in_a_folder_of_codepush_has_the_same_paths() {
    let flat =
        detect_files(&[("index.android.bundle", b"1"), ("drawable-mdpi/a.png", b"2")], Platform::Android).unwrap();
    let nested = [
        ("CodePush/index.android.bundle", &b"1"[..]),
        ("CodePush/drawable-mdpi/a.png", b"2"),
        ("__MACOSX/CodePush/._a", b"3"),
    ];
    let nested = detect_files(&nested, Platform::Android).unwrap();
    assert_eq!(flat.files, nested.files);
    assert_eq!(paths(&flat), [("drawable-mdpi/a.png", FileRole::Asset), ("index.android.bundle", FileRole::Launch)]);
    assert_eq!(nested.skipped[0].reason, SkipReason::Junk);
}

#[test]
fn a_single_file_of_any_name_is_a_bundle() {
    let bytes = hermes(200);
    let detected = detect_files(&[("app.hbc", &bytes)], Platform::Ios).unwrap();
    assert_eq!((detected.engine, detected.hermes_version), (Engine::Hermes, Some(98)));
    let script = detect_files(&[("bundle.js", b"console.log(1)")], Platform::Android).unwrap();
    assert_eq!(script.launch_path, "bundle.js");
}

#[test]
fn source_maps_and_junk_are_left_out() {
    let files: [(&str, &[u8]); 4] =
        [("main.jsbundle", b"1"), ("main.jsbundle.map", b"{}"), (".DS_Store", b"x"), ("assets/._a.png", b"y")];
    let detected = detect_files(&files, Platform::Ios).unwrap();
    assert_eq!(paths(&detected), [("main.jsbundle", FileRole::Launch)]);
    assert_eq!(detected.skipped.len(), 3);
    assert!(
        matches!(refusal(&[("index.android.bundle.map", b"{}")], Platform::Android), Refusal::NoLaunchFile(why) if why.contains("source maps"))
    );
}

#[test]
fn uploads_without_one_launch_file_are_refused() {
    assert!(matches!(refusal(&[], Platform::Ios), Refusal::NoLaunchFile(_)));
    assert!(matches!(refusal(&[("a.png", b"1")], Platform::Ios), Refusal::NoLaunchFile(_)));
    let two = refusal(&[("a.bundle", b"1"), ("b.bundle", b"2")], Platform::Ios);
    assert_eq!(two.to_string(), "several launch files: a.bundle, b.bundle; keep one");
    let both = refusal(&[("index.android.bundle", b"1"), ("main.jsbundle", b"2")], Platform::Android);
    assert!(matches!(both, Refusal::SeveralLaunchFiles(_)));
    assert!(
        matches!(refusal(&[("a/index.android.bundle", b"1"), ("b.png", b"2")], Platform::Android), Refusal::Content { entry, .. } if entry == "b.png")
    );
}

#[test]
fn uploads_for_the_other_platform_are_refused() {
    let ios = refusal(&[("main.jsbundle", b"1")], Platform::Android);
    assert_eq!(ios.to_string(), "\"main.jsbundle\" is for ios, but the upload is for android");
    for files in [
        [("index.android.bundle", &b"1"[..]), ("a", b"")],
        [("app.hbc", &hermes(64)[..]), ("drawable-mdpi/a.png", b"")],
    ] {
        assert!(matches!(refusal(&files, Platform::Ios), Refusal::OtherPlatform { .. }));
    }
    let metadata = br#"{"version":0,"fileMetadata":{"ios":{"bundle":"a.hbc","assets":[]}}}"#;
    assert!(matches!(
        refusal(&[("metadata.json", metadata), ("a.hbc", b"1")], Platform::Android),
        Refusal::OtherPlatform { .. }
    ));
}

#[test]
fn an_expo_export_with_a_missing_file_is_refused() {
    let metadata =
        br#"{"version":0,"fileMetadata":{"ios":{"bundle":"a.hbc","assets":[{"path":"assets/x","ext":"png"}]}}}"#;
    let refused = refusal(&[("dist/metadata.json", metadata), ("dist/a.hbc", b"1")], Platform::Ios);
    assert_eq!(refused.to_string(), "\"assets/x\" is named by \"dist/metadata.json\" but is missing");
}

#[test]
fn launch_files_that_cannot_run_are_refused() {
    let cut = &hermes(300)[..200];
    for (bytes, why) in [
        (&b""[..], "is empty"),
        (cut, "200 bytes instead of 300"),
        (&hermes(300)[..20], "ends in its header"),
        (&[0xe5, 0xd1, 0x0b, 0xfb, 1, 2], "RAM bundle"),
        (b"\x00\x01\x02", "neither JavaScript nor Hermes"),
        (b"<!DOCTYPE html>", "HTML page"),
        (br#"{"version":3,"sources":[]}"#, "source map"),
    ] {
        let refused = refusal(&[("index.android.bundle", bytes)], Platform::Android).to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_bundle_for_development_is_taken_with_a_warning() {
    let files: [(&str, &[u8]); 1] = [("index.android.bundle", b"var __BUNDLE_START_TIME__=0,__DEV__=true,process={};")];
    let warnings = detect_files(&files, Platform::Android).unwrap().warnings;
    assert_eq!(warnings.iter().map(|warning| warning.kind).collect::<Vec<_>>(), [WarningKind::DebugBundle]);
}

#[test]
fn packing_is_deterministic_and_leaves_out_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("b", "2"), ("a", "1"), ("c", "1")] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let scanned = scan(folder.path()).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    pack(&scanned, &HashSet::new(), &mut first).unwrap();
    std::fs::File::open(folder.path().join("a")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let reversed: Vec<ScannedFile> = scan(folder.path()).unwrap().into_iter().rev().collect();
    pack(&reversed, &HashSet::new(), &mut second).unwrap();
    assert!(first == second);
    let packed = pack(&scanned, &HashSet::from([Sha256::of(b"1")]), &mut Vec::new()).unwrap();
    assert_eq!(packed.files, 1);
    std::fs::write(folder.path().join("b"), "3").unwrap();
    assert!(pack(&scanned, &HashSet::new(), &mut Vec::new()).unwrap_err().to_string().contains("was changed"));
}

#[test]
fn links_are_followed_inside_the_folder_only() {
    use std::os::unix::fs::symlink;
    let (outside, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    std::fs::write(folder.path().join("file"), "1").unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    let scanned = scan(folder.path()).unwrap();
    assert_eq!(scanned.iter().map(|file| file.input.path.as_str()).collect::<Vec<_>>(), ["file", "link"]);
    assert_eq!(scanned[0].input.sha256, scanned[1].input.sha256);
    for target in [outside.path().join("secret"), outside.path().to_owned(), folder.path().to_owned()] {
        let link = folder.path().join("bad");
        symlink(&target, &link).unwrap();
        assert!(matches!(scan(folder.path()), Err(Error::Refused(Refusal::Special { .. }))), "{}", target.display());
        std::fs::remove_file(&link).unwrap();
    }
    assert_eq!(scan(Path::new("/nonexistent")).unwrap_err().kind(), domain::ErrorKind::NotFound);
}
