//! This file's job is to name the fuzz targets: whatever reads bytes that come from outside.

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its file in `fuzz_targets` and of its folder in `corpus`.
    pub name: &'static str,
    /// Takes any bytes; panics when something is broken that must hold for all of them.
    pub run: fn(&[u8]),
}

include!(concat!(env!("OUT_DIR"), "/targets.rs"));
