//! This file's job is to fuzz what looks into launch files: Metro's modules, the tables of Hermes bytecode, and source maps.

use bundle::{Bytes, HermesHeader, Input, Of, describe, detect};
use domain::{Platform, Sha256};
use std::io::Cursor;

const LAUNCH: &str = "index.android.bundle";
const MAP: &str = "index.android.bundle.map";

/// The first two bytes say how many of the rest are the launch file; what remains is its source map. Both are described or refused, and
/// every module that is told lies inside the launch file.
pub fn run(bytes: &[u8]) {
    let Some((size, rest)) = bytes.split_first_chunk() else { return };
    let (launch, map) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes(*size))));
    let inputs = [(LAUNCH, launch), (MAP, map)].map(|(path, content)| Input {
        path: path.to_owned(),
        sha256: Sha256::of(content),
        size_bytes: content.len() as u64,
    });
    let mut open_start = |path: &str, max_bytes: usize| {
        let content = if path == LAUNCH { launch } else { map };
        Ok(content[..content.len().min(max_bytes)].to_vec())
    };
    let Ok(detected) = detect(&inputs, Platform::Android, &mut open_start) else { return };
    let mut open = |of: Of<'_>| {
        let content = match of {
            Of::File(_) => launch,
            Of::Other(_) => map,
        };
        Ok(Some(Box::new(Cursor::new(content.to_vec())) as Box<dyn Bytes>))
    };
    let Ok(contents) = describe(&detected, &mut open) else { return };
    let ends = contents.modules.iter().filter_map(|module| Some(module.offset?.saturating_add(module.size_bytes)));
    assert!(ends.max().unwrap_or(0) <= launch.len() as u64, "a module ends behind the launch file");
    assert!(contents.hermes.is_none() || HermesHeader::is_hermes(launch), "only bytecode has its tables");
}
