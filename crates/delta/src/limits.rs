//! This file's job is to say how much a decoder may take, whatever the patch says.

use crate::error::DeltaError;

/// What a decoder may take. Both numbers come from the caller, who has them from something signed; never from the patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest new file.
    pub output_max_bytes: usize,
    /// What the decoder may allocate besides the new file.
    pub memory_max_bytes: usize,
}

impl Limits {
    /// Room for every window and block size that the formats allow.
    pub const MEMORY_DEFAULT_BYTES: usize = 160 << 20;

    /// Allows new files of this size, and as much memory as the formats can ask for.
    #[must_use]
    pub const fn output(output_max_bytes: usize) -> Self {
        Self { output_max_bytes, memory_max_bytes: Self::MEMORY_DEFAULT_BYTES }
    }

    /// Checks the size that a patch declares.
    pub(crate) fn check_output(&self, declared: u64) -> Result<usize, DeltaError> {
        let fits = usize::try_from(declared).ok().filter(|&size| size <= self.output_max_bytes);
        fits.ok_or(DeltaError::TooLarge { max_bytes: self.output_max_bytes })
    }

    /// Checks what a decoder is about to allocate.
    pub(crate) const fn check_memory(&self, needed_bytes: usize) -> Result<(), DeltaError> {
        if needed_bytes > self.memory_max_bytes {
            return Err(DeltaError::Memory { max_bytes: self.memory_max_bytes });
        }
        Ok(())
    }
}
