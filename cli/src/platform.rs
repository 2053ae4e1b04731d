//! This file's job is to read platforms from the command line.

use clap::ValueEnum;
use proto::v1;

/// One platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnePlatform {
    /// Android devices.
    Android,
    /// iPhones and iPads.
    Ios,
}

impl OnePlatform {
    /// Returns the domain's value.
    #[must_use]
    pub const fn domain(self) -> domain::Platform {
        match self {
            Self::Android => domain::Platform::Android,
            Self::Ios => domain::Platform::Ios,
        }
    }
}

/// One platform or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AnyPlatform {
    /// Android devices.
    Android,
    /// iPhones and iPads.
    Ios,
    /// Every platform that is in the folder.
    Both,
}

/// Returns the contract's value.
#[must_use]
pub const fn wire(platform: domain::Platform) -> v1::Platform {
    match platform {
        domain::Platform::Android => v1::Platform::Android,
        domain::Platform::Ios => v1::Platform::Ios,
    }
}

/// Returns the text form of the contract's value.
#[must_use]
pub const fn text(platform: v1::Platform) -> &'static str {
    match platform {
        v1::Platform::Unspecified => "unknown",
        v1::Platform::Android => domain::Platform::Android.as_str(),
        v1::Platform::Ios => domain::Platform::Ios.as_str(),
    }
}
