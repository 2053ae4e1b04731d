//! This file's job is to fuzz the metadata that `expo export` writes.

use bundle::{Input, detect};
use domain::{Platform, Sha256};

/// A bundle of an export has files of the export only.
pub fn run(bytes: &[u8]) {
    let launch = b"var __DEV__=false;";
    let files: [(&str, &[u8]); 3] = [
        ("metadata.json", bytes),
        ("_expo/static/js/android/index-0.js", launch),
        ("assets/0123456789abcdef0123456789abcdef", b"an image"),
    ];
    let inputs = files.map(|(path, content)| Input {
        path: path.to_owned(),
        sha256: Sha256::of(content),
        size_bytes: content.len() as u64,
    });
    let mut open = |wanted: &str, max_bytes: usize| {
        let (_, content) = files.iter().find(|(path, _)| *path == wanted).expect("only files that were listed are opened");
        Ok(content[..content.len().min(max_bytes)].to_vec())
    };
    if let Ok(detected) = detect(&inputs, Platform::Android, &mut open) {
        assert!(detected.files.iter().all(|file| inputs.iter().any(|input| input.path == file.path)));
        assert!(detected.files.iter().any(|file| file.path == detected.launch_path));
    }
}
