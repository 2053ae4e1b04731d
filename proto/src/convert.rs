//! This file's job is to name the conversions between wire types and the domain. Wire types end here.

mod audit;
mod bundle;
mod codepush;
mod release;
mod snapshot;
mod tally;
mod telemetry;

pub use audit::link_from_wire;
pub use bundle::{blob_from_wire, blob_to_wire, file_from_wire, file_to_wire, warning_to_wire};
pub use release::{rollout_from_wire, rollout_to_wire, target_from_wire, target_to_wire};
pub use snapshot::{
    channel_key_from_wire, channel_key_to_wire, decode_snapshot, encode_snapshot, version_from_wire, version_to_wire,
};
pub use tally::{tally_from_wire, tally_to_wire};
pub use telemetry::{event_from_wire, event_to_wire};

use crate::v1;
use domain::Sha256;
use domain::error::Invalid;
use thiserror::Error;

/// A message from the wire that breaks a rule: the field and the rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {rule}")]
pub struct InvalidMessage {
    /// The field's name as the contract spells it.
    pub field: &'static str,
    /// The rule that its value breaks.
    pub rule: String,
}

impl InvalidMessage {
    /// Makes the error from the field and the rule that its value breaks.
    #[must_use]
    pub fn new(field: &'static str, rule: impl Into<String>) -> Self {
        Self { field, rule: rule.into() }
    }
}

/// Names the field that an invalid value stood in.
pub trait InField<T> {
    /// Turns the error of a value into one of a message.
    ///
    /// # Errors
    /// The same failure, with the field's name.
    fn in_field(self, field: &'static str) -> Result<T, InvalidMessage>;
}

impl<T> InField<T> for Result<T, Invalid> {
    fn in_field(self, field: &'static str) -> Result<T, InvalidMessage> {
        self.map_err(|invalid| InvalidMessage::new(field, invalid.rule))
    }
}

/// Reads a hash that must be there.
///
/// # Errors
/// When the bytes are not 32.
pub fn sha256_from_wire(bytes: &[u8], field: &'static str) -> Result<Sha256, InvalidMessage> {
    Sha256::try_from(bytes).in_field(field)
}

/// Reads a hash that may be absent, as empty bytes.
///
/// # Errors
/// When the bytes are neither none nor 32.
pub fn optional_sha256_from_wire(bytes: &[u8], field: &'static str) -> Result<Option<Sha256>, InvalidMessage> {
    if bytes.is_empty() { Ok(None) } else { sha256_from_wire(bytes, field).map(Some) }
}

/// Writes a hash.
#[must_use]
pub fn sha256_to_wire(hash: &Sha256) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(hash.as_bytes())
}

/// Pairs each value of a wire enum with the domain's.
macro_rules! wire_enum {
    ($(#[$to_doc:meta])* $to:ident, $(#[$from_doc:meta])* $from:ident: $wire:ident <=> $domain:path { $($w:ident = $d:ident),+ $(,)? }) => {
        $(#[$to_doc])*
        #[must_use]
        pub const fn $to(value: $domain) -> v1::$wire {
            use $domain as Domain;
            match value { $(Domain::$d => v1::$wire::$w),+ }
        }

        $(#[$from_doc])*
        pub fn $from(value: i32, field: &'static str) -> Result<$domain, InvalidMessage> {
            use $domain as Domain;
            match v1::$wire::try_from(value) {
                $(Ok(v1::$wire::$w) => Ok(Domain::$d),)+
                Ok(v1::$wire::Unspecified) => Err(InvalidMessage::new(field, "must be set")),
                Err(_) => Err(InvalidMessage::new(field, "is not one of the known values")),
            }
        }
    };
}

wire_enum! {
    /// Writes a platform.
    platform_to_wire,
    /// Reads a platform.
    ///
    /// # Errors
    /// When it is unset or unknown.
    platform_from_wire: Platform <=> domain::Platform { Android = Android, Ios = Ios }
}
wire_enum! {
    /// Writes an engine.
    engine_to_wire,
    /// Reads an engine.
    ///
    /// # Errors
    /// When it is unset or unknown.
    engine_from_wire: Engine <=> domain::bundle::Engine { Javascript = JavaScript, Hermes = Hermes }
}
wire_enum! {
    /// Writes a file's role.
    file_role_to_wire,
    /// Reads a file's role.
    ///
    /// # Errors
    /// When it is unset or unknown.
    file_role_from_wire: FileRole <=> domain::bundle::FileRole { Launch = Launch, Asset = Asset }
}
wire_enum! {
    /// Writes a rollout's state.
    rollout_state_to_wire,
    /// Reads a rollout's state.
    ///
    /// # Errors
    /// When it is unset or unknown.
    rollout_state_from_wire: RolloutState <=> domain::release::RolloutState { Active = Active, Paused = Paused }
}
wire_enum! {
    /// Writes a retreat.
    retreat_to_wire,
    /// Reads a retreat.
    ///
    /// # Errors
    /// When it is unset or unknown.
    retreat_from_wire: Retreat <=> domain::release::Retreat { Stay = Stay, NextColdStart = NextColdStart, Now = Now }
}
wire_enum! {
    /// Writes what happens to bundles with warnings.
    bundle_policy_to_wire,
    /// Reads what happens to bundles with warnings.
    ///
    /// # Errors
    /// When it is unset or unknown.
    bundle_policy_from_wire: BundlePolicy <=> domain::warning::BundlePolicy { Warn = Warn, Refuse = Refuse }
}
wire_enum! {
    /// Writes what a warning is about.
    warning_kind_to_wire,
    /// Reads what a warning is about.
    ///
    /// # Errors
    /// When it is unset or unknown.
    warning_kind_from_wire: WarningKind <=> domain::warning::WarningKind {
        DebugBundle = DebugBundle, WrongPlatform = WrongPlatform, HermesVersion = HermesVersion
    }
}
