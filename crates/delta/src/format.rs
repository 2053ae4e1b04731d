//! This file's job is to name the formats, as the protocols and the database do.

#[cfg(feature = "zstandard")]
use crate::dcz;
use crate::error::DeltaError;
use crate::hermes::{self, Profile};
use crate::limits::Limits;
#[cfg(feature = "encode")]
use crate::{Budget, Effort};
use crate::{bsdiff40, dcb};
use std::fmt;
use std::str::FromStr;

/// A format of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Control, difference and extra bytes, each compressed with bzip2; what `bspatch` applies.
    Bsdiff40,
    /// Brotli with the old file as dictionary (RFC 9842).
    Dcb,
    /// Zstandard with the old file as dictionary (RFC 9842).
    Dcz,
    /// Hermes bytecode whose indexes are predicted, with Zstandard.
    Hermes,
    /// The same with an adaptive coder: smaller, and slower to apply.
    HermesAdaptive,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Bsdiff40, Self::Dcb, Self::Dcz, Self::Hermes, Self::HermesAdaptive];

    /// Returns the name, as in the `Content-Encoding` of RFC 9842 where it has one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bsdiff40 => "bsdiff40",
            Self::Dcb => "dcb",
            Self::Dcz => "dcz",
            Self::Hermes => "hbc1",
            Self::HermesAdaptive => "hbc2",
        }
    }

    /// Makes a patch that turns `base` into `target`. The caller compares it with the other formats and with the file compressed alone.
    ///
    /// `None` when the format or the budget does not allow such files, or the budget is spent.
    ///
    /// # Errors
    /// When the encoder fails.
    #[cfg(feature = "encode")]
    pub fn encode(
        self,
        base: &[u8],
        target: &[u8],
        effort: Effort,
        budget: &Budget<'_>,
    ) -> Result<Option<Vec<u8>>, DeltaError> {
        match self {
            Self::Bsdiff40 => bsdiff40::encode(base, target, effort, budget),
            Self::Dcb => dcb::encode(base, target, effort, budget),
            Self::Dcz => dcz::encode(base, target, effort, budget),
            Self::Hermes => hermes::encode(base, target, Profile::Zstandard, effort, budget),
            Self::HermesAdaptive => hermes::encode(base, target, Profile::Adaptive, effort, budget),
        }
    }

    /// Makes the new file from the old one and a patch of this format, without looking at its hash: see [`crate::apply`].
    ///
    /// # Errors
    /// When the bytes are no such patch, or a broken one, or one that needs more than the limits.
    pub fn decode(self, base: &[u8], patch: &[u8], limits: &Limits) -> Result<Vec<u8>, DeltaError> {
        match self {
            Self::Bsdiff40 => bsdiff40::decode(base, patch, limits),
            Self::Dcb => dcb::decode(base, patch, limits),
            #[cfg(feature = "zstandard")]
            Self::Dcz => dcz::decode(base, patch, limits),
            #[cfg(not(feature = "zstandard"))]
            Self::Dcz => Err(DeltaError::UnknownFormat),
            Self::Hermes => hermes::decode(base, patch, Profile::Zstandard, limits),
            Self::HermesAdaptive => hermes::decode(base, patch, Profile::Adaptive, limits),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = DeltaError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or(DeltaError::UnknownFormat)
    }
}
