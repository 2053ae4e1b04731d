//! This file's job is to bound what an archive may unpack to.

use domain::bundle::{BUNDLE_FILES_MAX, PATH_MAX_BYTES};

/// What an archive may unpack to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries of every kind, folders and junk included.
    pub entries_max: usize,
    /// Size of one file.
    pub file_max_bytes: u64,
    /// Size of all files together.
    pub total_max_bytes: u64,
    /// How many times larger than the archive its files may be, once they are larger than [`RATIO_FREE_BYTES`].
    pub ratio_max: u64,
}

impl Default for Limits {
    /// Four times the default upload cap of 100 MB, which is what bundles with their assets compress to at best.
    fn default() -> Self {
        Self {
            entries_max: 2 * BUNDLE_FILES_MAX,
            file_max_bytes: 128 << 20,
            total_max_bytes: 400 << 20,
            // JavaScript compresses up to ten times; only padding made to hurt reaches a hundred.
            ratio_max: 100,
        }
    }
}

/// A small archive may hold a well compressing file of this size whatever its ratio.
pub(crate) const RATIO_FREE_BYTES: u64 = 8 << 20;
/// Folders in folders: deeper than `node_modules` gets.
pub(crate) const DEPTH_MAX: usize = 32;
/// The largest directory of a zip file: every entry with the longest name and generous extra fields.
pub(crate) const ZIP_DIRECTORY_MAX_BYTES: u64 = 16 << 20;
/// The longest name or extended header of a tar entry.
pub(crate) const TAR_HEADER_MAX_BYTES: u64 = (PATH_MAX_BYTES as u64 + 512) * 16;
/// Window of Zstandard: 8 MiB is what level 19 uses, 32 MiB what `--long` of 25 does.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 25;
/// Tar pads with zeros up to a record of usually 10 KiB.
pub(crate) const TAR_PADDING_MAX_BYTES: u64 = 1 << 20;
/// A module larger than this was not written by people; it is held in memory while it is read.
pub(crate) const MODULE_MAX_BYTES: usize = 16 << 20;
/// Ten times what the largest known apps have.
pub(crate) const MODULES_MAX: usize = 100_000;
/// What follows a module's text: numbers of up to a hundred thousand modules.
pub(crate) const CALL_NUMBERS_MAX_BYTES: usize = 1 << 20;
/// A description of the most modules, with paths and hashes.
pub(crate) const CONTENTS_MAX_BYTES: u64 = 32 << 20;
/// The asset map of an export: five thousand assets with all their scales take two megabytes.
pub(crate) const ASSET_MAP_MAX_BYTES: usize = 8 << 20;
/// Cameras write a preview of up to 64 KiB before a JPEG's size, twice at most.
pub(crate) const IMAGE_START_MAX_BYTES: u64 = 192 << 10;
