//! This file's job is to bound what a device may say about itself.

use crate::error::Invalid;

/// Room for a UUID with a prefix, or for the ids that older clients make.
pub const DEVICE_KEY_MAX_BYTES: usize = 128;

/// The stable name under which a device is bucketed and pinned: its `dev_` id, or the id that its client chose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey(std::sync::Arc<str>);

impl DeviceKey {
    /// Returns the key of a device that says no name: it gets what everybody gets, and cannot be pinned.
    #[must_use]
    pub fn nameless() -> Self {
        Self("".into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for DeviceKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > DEVICE_KEY_MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("DeviceKey", "must be 1 to 128 visible ASCII characters"));
        }
        Ok(Self(text.into()))
    }
}

impl std::fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
