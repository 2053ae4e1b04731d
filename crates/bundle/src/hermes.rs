//! This file's job is to read what a Hermes bytecode file says about itself.
//!
//! The header (`BytecodeFileFormat.h` of facebook/hermes) begins, in little-endian order: magic u64, version u32, source hash 20 bytes,
//! file length u32.

const MAGIC: [u8; 8] = 0x1f19_03c1_03bc_1fc6_u64.to_le_bytes();
const VERSION_OFFSET: usize = 8;
const LENGTH_OFFSET: usize = 32;

/// The beginning of a Hermes bytecode file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HermesHeader {
    /// Version of the bytecode; a device runs only its own.
    pub version: u32,
    /// Size of the file.
    pub length_bytes: u32,
}

impl HermesHeader {
    /// Says whether the bytes begin as Hermes bytecode does.
    #[must_use]
    pub fn is_hermes(start: &[u8]) -> bool {
        start.starts_with(&MAGIC)
    }

    /// Reads the header; none when the bytes are too few or begin otherwise.
    #[must_use]
    pub fn parse(start: &[u8]) -> Option<Self> {
        if !Self::is_hermes(start) {
            return None;
        }
        let number = |offset: usize| start.get(offset..offset + 4)?.try_into().ok().map(u32::from_le_bytes);
        Some(Self { version: number(VERSION_OFFSET)?, length_bytes: number(LENGTH_OFFSET)? })
    }
}
