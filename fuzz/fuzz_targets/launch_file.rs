//! This file's job is to fuzz the detection of Hermes bytecode and Metro bundles.

use bundle::{HermesHeader, Input, detect};
use domain::bundle::Engine;
use domain::{Platform, Sha256};

/// Any launch file is recognised or refused, and only Hermes bytecode is called that.
pub fn run(bytes: &[u8]) {
    let path = "index.android.bundle";
    let input = Input { path: path.to_owned(), sha256: Sha256::of(bytes), size_bytes: bytes.len() as u64 };
    let mut open = |_: &str, max_bytes: usize| Ok(bytes[..bytes.len().min(max_bytes)].to_vec());
    if let Ok(detected) = detect(&[input], Platform::Android, &mut open) {
        assert_eq!(detected.launch_path, path);
        assert_eq!(detected.engine == Engine::Hermes, HermesHeader::is_hermes(bytes));
    }
}
