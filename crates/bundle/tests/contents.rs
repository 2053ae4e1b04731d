//! This file's job is to check what is said of the inside of real bundles, and what differs between them.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use bundle::{ChangeKind, Comparison, Contents, Detected, Input, Of, Side, Subject, compare, describe, detect, scan};
use domain::Platform;
use domain::bundle::{Engine, FileRole};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

struct Described {
    detected: Detected,
    contents: Contents,
}

fn corpus(path: &str) -> PathBuf {
    let root = std::env::var_os("ALOFT_CORPUS").expect("ALOFT_CORPUS is not set: run through ./x test");
    PathBuf::from(root).join(path)
}

/// Looks into a folder of the corpus as the worker does; `map` is the source map's file.
fn look(folder: &Path, platform: Platform, map: Option<PathBuf>) -> Described {
    let scanned = scan(folder).unwrap();
    let locations: HashMap<String, PathBuf> =
        scanned.iter().map(|file| (file.input.path.clone(), file.location.clone())).collect();
    let inputs: Vec<Input> = scanned.iter().map(|file| file.input.clone()).collect();
    let mut detected = detect(&inputs, platform, &mut |path, max| {
        let mut start = Vec::new();
        File::open(&locations[path])?.take(max as u64).read_to_end(&mut start)?;
        Ok(start)
    })
    .unwrap();
    detected.source_map = map.as_ref().map(|map| map.display().to_string());
    let contents = describe(&detected, &mut |of| {
        let location = match of {
            Of::File(file) => locations[&file.path].clone(),
            Of::Other(path) => PathBuf::from(path),
        };
        Ok(Some(Box::new(File::open(location)?)))
    })
    .unwrap();
    assert_eq!(Contents::decode(&contents.encode().unwrap()).unwrap(), contents);
    Described { detected, contents }
}

fn release(version: &str, kind: &str, with_map: bool) -> Described {
    let map = with_map.then(|| corpus(&format!("maps/{version}/android/{kind}.map")));
    look(&corpus(&format!("{version}/android/{kind}")), Platform::Android, map)
}

fn compared(old: &Described, new: &Described) -> Comparison {
    fn side(of: &Described) -> Side<'_> {
        Side { files: &of.detected.files, contents: &of.contents }
    }
    compare(side(old), side(new))
}

fn own_modules(comparison: &Comparison, kind: ChangeKind) -> Vec<&str> {
    let of_kind = comparison.changes.iter().filter(|change| change.subject == Subject::Module && change.kind == kind);
    of_kind.map(|change| change.name.as_str()).filter(|name| !name.contains("node_modules")).collect()
}

#[test]
fn a_metro_bundle_falls_into_modules_that_cover_it() {
    let plain = release("v1", "js", false);
    let launch = plain.detected.files.iter().find(|file| file.role == FileRole::Launch).unwrap();
    let modules = &plain.contents.modules;
    let covered: u64 = modules.iter().map(|module| module.size_bytes).sum();
    assert!(modules.len() > 1_000 && covered * 100 > launch.size_bytes * 95, "{} {covered}", modules.len());
    let text = std::fs::read(corpus("v1/android/js/index.android.bundle")).unwrap();
    let definitions = text.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"__d(")).count();
    assert_eq!(modules.len(), definitions);
    let known: std::collections::HashSet<u64> = modules.iter().filter_map(|module| module.id).collect();
    assert_eq!(known.len(), modules.len());
    let mut required = modules.iter().flat_map(|module| &module.dependencies);
    assert!(required.all(|id| known.contains(id)));
}

#[test]
fn a_source_map_names_every_module() {
    let named = release("v1", "js", true);
    let paths: Vec<&str> = named.contents.modules.iter().filter_map(|module| module.path.as_deref()).collect();
    assert_eq!(paths.len(), named.contents.modules.len());
    assert!(paths.iter().any(|path| path.ends_with("react/cjs/react.production.js")));
    assert!(paths.iter().any(|path| path.ends_with("src/lib/i18n.js")));
}

#[test]
fn bytecode_tells_its_tables_and_a_source_map_its_modules() {
    let hermes = release("v1", "hermes", true);
    assert_eq!(hermes.detected.engine, Engine::Hermes);
    let facts = hermes.contents.hermes.unwrap();
    let launch = hermes.detected.files.iter().find(|file| file.role == FileRole::Launch).unwrap();
    assert_eq!(Some(facts.version), hermes.detected.hermes_version);
    assert!(facts.function_count > 1_000 && facts.string_count > facts.identifier_count);
    assert!((launch.size_bytes / 4..launch.size_bytes).contains(&facts.code_size_bytes), "{facts:?}");
    let code: u64 = hermes.contents.modules.iter().map(|module| module.size_bytes).sum();
    assert!(hermes.contents.modules.len() > 1_000 && code * 10 > facts.code_size_bytes * 9, "{code} {facts:?}");
}

#[test]
fn images_have_their_size_in_pixels() {
    let plain = release("v1", "js", false);
    let images: Vec<_> = plain.contents.assets.iter().filter(|asset| asset.path.ends_with(".png")).collect();
    assert!(!images.is_empty());
    for image in &images {
        let bytes = std::fs::read(corpus("v1/android/js").join(&image.path)).unwrap();
        // A PNG has its size in its first chunk.
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(image.pixels, Some((number(16), number(20))), "{}", image.path);
    }
}

#[test]
fn a_fix_shows_as_the_modules_that_were_edited() {
    for kind in ["js", "hermes"] {
        let compared = compared(&release("v1", kind, true), &release("v2", kind, true));
        assert!(compared.has_modules);
        assert_eq!(own_modules(&compared, ChangeKind::Changed), ["src/lib/i18n.js", "src/store/basket.js"], "{kind}");
        let modules = compared.changes.iter().filter(|change| change.subject == Subject::Module).count();
        assert_eq!(modules, 2, "{kind}: {:?}", compared.changes);
    }
}

#[test]
fn a_feature_shows_its_new_files() {
    for kind in ["js", "hermes"] {
        let compared = compared(&release("v2", kind, true), &release("v3", kind, true));
        assert!(own_modules(&compared, ChangeKind::Added).contains(&"src/screens/Planner.js"), "{kind}");
        let added = |change: &&bundle::Change| change.subject == Subject::Asset && change.kind == ChangeKind::Added;
        let images: Vec<_> = compared.changes.iter().filter(added).collect();
        assert!(images.iter().any(|change| change.name.contains("compass")), "{kind}: {images:?}");
        assert!(images.iter().all(|change| change.pixels.is_some() || !change.name.ends_with(".png")));
    }
}

#[test]
fn without_a_source_map_renumbered_modules_are_still_the_same() {
    let (old, new) = (release("v2", "js", false), release("v3", "js", false));
    let renumbered =
        old.contents.modules.iter().zip(&new.contents.modules).filter(|(old, new)| old.content != new.content);
    let compared = compared(&old, &new);
    let changes = compared.changes.iter().filter(|change| change.subject == Subject::Module).count();
    assert!(renumbered.count() > 5 * changes && changes > 0, "{changes}");
}
