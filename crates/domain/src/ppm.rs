//! This file's job is to define a share of devices in parts per million.

use crate::error::Invalid;
use serde::{Deserialize, Serialize};

/// A share from 0 to 1,000,000 parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ppm(u32);

impl Ppm {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(1_000_000);

    /// Makes a share; an error above 1,000,000.
    pub const fn new(ppm: u32) -> Result<Self, Invalid> {
        if ppm <= Self::ALL.0 { Ok(Self(ppm)) } else { Err(Invalid::new("Ppm", "must be at most 1000000")) }
    }

    /// Returns the parts per million.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Ppm {
    type Error = Invalid;

    fn try_from(ppm: u32) -> Result<Self, Self::Error> {
        Self::new(ppm)
    }
}

impl From<Ppm> for u32 {
    fn from(ppm: Ppm) -> Self {
        ppm.0
    }
}
