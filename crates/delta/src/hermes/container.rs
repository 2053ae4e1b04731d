//! This file's job is to read and write what an `hbc-delta` patch begins with.
//!
//! ```text
//! 68 62 63 64   "hbcd"
//! 01            version of the format
//! <1 byte>      profile: 1 Zstandard, 2 adaptive
//! <32 bytes>    SHA-256 of the base
//! <32 bytes>    SHA-256 of the new file
//! <4 bytes>     size of the new file, little-endian
//! <varint> x 4  sizes of the four parts, in their order: texts, literals, functions, code
//! <profile's data>
//! ```

use crate::error::DeltaError;
use crate::hermes::{broken, varint};

const MAGIC: [u8; 5] = *b"hbcd\x01";
const HASH_SIZE_BYTES: usize = 32;

/// How the edits are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// One Zstandard frame: fast to decode.
    Zstandard,
    /// Adaptive arithmetic coding: smaller.
    Adaptive,
}

impl Profile {
    const fn byte(self) -> u8 {
        match self {
            Self::Zstandard => 1,
            Self::Adaptive => 2,
        }
    }

    fn of_byte(byte: u8) -> Result<Self, DeltaError> {
        [Self::Zstandard, Self::Adaptive]
            .into_iter()
            .find(|profile| profile.byte() == byte)
            .ok_or_else(|| broken("the profile is unknown"))
    }
}

/// Sizes of the parts of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) texts: usize,
    pub(super) literals: usize,
    pub(super) functions: usize,
    pub(super) code: usize,
}

/// What a patch begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) profile: Profile,
    pub(super) base_sha256: [u8; HASH_SIZE_BYTES],
    pub(super) result_sha256: [u8; HASH_SIZE_BYTES],
    pub(super) size_bytes: u32,
    pub(super) sizes: Sizes,
}

impl Head {
    /// Splits a patch into its head and the profile's data.
    pub(super) fn split(patch: &[u8]) -> Result<(Self, &[u8]), DeltaError> {
        let rest = patch.strip_prefix(&MAGIC).ok_or(DeltaError::NotAPatch)?;
        let (&profile, rest) = rest.split_first().ok_or(DeltaError::NotAPatch)?;
        let (base_sha256, rest) = rest.split_first_chunk().ok_or(DeltaError::NotAPatch)?;
        let (result_sha256, rest) = rest.split_first_chunk().ok_or(DeltaError::NotAPatch)?;
        let (size_bytes, mut rest) = rest.split_first_chunk().ok_or(DeltaError::NotAPatch)?;
        let sizes = Sizes {
            texts: varint::take_count(&mut rest)?,
            literals: varint::take_count(&mut rest)?,
            functions: varint::take_count(&mut rest)?,
            code: varint::take_count(&mut rest)?,
        };
        let head = Self {
            profile: Profile::of_byte(profile)?,
            base_sha256: *base_sha256,
            result_sha256: *result_sha256,
            size_bytes: u32::from_le_bytes(*size_bytes),
            sizes,
        };
        head.check_sizes()?;
        Ok((head, rest))
    }

    /// No part is larger than the file, so that nothing is allocated for it beyond what the caller allows.
    fn check_sizes(&self) -> Result<(), DeltaError> {
        let Sizes { texts, literals, functions, code } = self.sizes;
        let sum = [texts, literals, functions, code].into_iter().try_fold(0_usize, usize::checked_add);
        if sum.is_none_or(|sum| sum as u64 > u64::from(self.size_bytes)) {
            return Err(broken("the parts are larger than the file"));
        }
        Ok(())
    }

    /// Returns the head's bytes.
    #[cfg(feature = "encode")]
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.profile.byte());
        bytes.extend_from_slice(&self.base_sha256);
        bytes.extend_from_slice(&self.result_sha256);
        bytes.extend_from_slice(&self.size_bytes.to_le_bytes());
        let Sizes { texts, literals, functions, code } = self.sizes;
        [texts, literals, functions, code].into_iter().for_each(|size| varint::put(&mut bytes, size as u64));
        bytes
    }
}
