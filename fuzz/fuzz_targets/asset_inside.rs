//! This file's job is to fuzz what looks into assets: the sizes of images, and the asset map of an Expo export.

use bundle::{Bytes, Input, Of, describe, detect};
use domain::{Platform, Sha256};
use std::io::Cursor;

const METADATA: &[u8] = br#"{"version":0,"bundler":"metro","fileMetadata":{"android":{"bundle":"_expo/static/js/android/index-0.js",
    "assets":[{"path":"assets/0123456789abcdef0123456789abcdef","ext":"png"}]}}}"#;

/// The input is the asset and the asset map at once. Whatever is told is of an asset of the bundle.
pub fn run(bytes: &[u8]) {
    let files: [(&str, &[u8]); 4] = [
        ("metadata.json", METADATA),
        ("_expo/static/js/android/index-0.js", b"var __DEV__=false;"),
        ("assets/0123456789abcdef0123456789abcdef", bytes),
        ("assetmap.json", bytes),
    ];
    let inputs = files.map(|(path, content)| Input {
        path: path.to_owned(),
        sha256: Sha256::of(content),
        size_bytes: content.len() as u64,
    });
    let content = |wanted: &str| files.iter().find(|(path, _)| *path == wanted).map(|(_, content)| *content);
    let mut open_start = |path: &str, max_bytes: usize| {
        let content = content(path).expect("only files that were listed are opened");
        Ok(content[..content.len().min(max_bytes)].to_vec())
    };
    let detected = detect(&inputs, Platform::Android, &mut open_start).expect("the export is sound");
    let mut open = |of: Of<'_>| {
        let path = match of {
            Of::File(file) => &file.path,
            Of::Other(path) => path,
        };
        Ok(content(path).map(|content| Box::new(Cursor::new(content.to_vec())) as Box<dyn Bytes>))
    };
    let contents = describe(&detected, &mut open).expect("an asset is never refused");
    assert!(contents.assets.iter().all(|asset| detected.files.iter().any(|file| file.path == asset.path)));
}
