//! This file's job is to name what can be done with channels.

mod create;
mod delete;
mod update;

pub use create::{NewChannel, create};
pub use delete::delete;
pub use update::{Update, update};

use crate::error::{Error, Result};
use domain::ChannelName;
use domain::warning::BundlePolicy;
use proto::v1;

/// Reads a channel's name. One that looks like an id would name two channels.
fn channel_name(field: &'static str, text: &str) -> Result<ChannelName> {
    if text.parse::<domain::id::ChannelId>().is_ok() {
        return Err(Error::field(field, "must not look like a channel's id"));
    }
    text.parse().map_err(Error::in_field(field))
}

/// Reads what happens to bundles with warnings; they are taken when it is not set.
fn bundle_policy(field: &'static str, value: i32) -> Result<BundlePolicy> {
    if value == v1::BundlePolicy::Unspecified as i32 {
        return Ok(BundlePolicy::Warn);
    }
    Ok(proto::convert::bundle_policy_from_wire(value, field)?)
}
