//! This file's job is to fuzz archives: zip, and tar in gzip or Zstandard.

use bundle::{Limits, read_archive, sniff};
use std::io::{self, Cursor};

/// Small, so that each input is quick; the rules are the same.
const LIMITS: Limits = Limits { entries_max: 64, file_max_bytes: 1 << 20, total_max_bytes: 4 << 20, ratio_max: 100 };

/// An archive unpacks within its limits, to names that stay inside a folder, or is refused.
pub fn run(bytes: &[u8]) {
    let Some(format) = sniff(bytes) else { return };
    let mut total_bytes = 0;
    let mut sink = |path: &str, file: &mut dyn io::Read| {
        assert!(!path.starts_with('/') && !path.split('/').any(|part| matches!(part, "" | "." | "..")), "{path:?}");
        total_bytes += io::copy(file, &mut io::sink())?;
        Ok(())
    };
    // An error refuses the archive.
    let _ = read_archive(format, Cursor::new(bytes), &LIMITS, &mut sink);
    assert!(total_bytes <= LIMITS.total_max_bytes, "{total_bytes} bytes came out");
}
