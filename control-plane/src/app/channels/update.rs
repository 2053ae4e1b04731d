//! This file's job is to rename, block or unblock a channel, or to change what it takes.

use super::{bundle_policy, channel_name};
use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath};
use db::Tx;
use db::channels::{Channel, ChannelChanges};
use domain::error::Invalid;
use std::str::FromStr;

/// What can be changed.
const FIELDS: [&str; 5] =
    ["channel_name", "blocked", "bundle_policy", "expo_server_defined_headers", "expo_asset_request_headers"];

/// A checked request.
#[derive(Debug, Clone)]
pub struct Update {
    path: ChannelPath,
    etag: String,
    changes: ChannelChanges,
}

impl Update {
    /// Checks a request: the fields in the mask take the values of `channel`.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(channel: &proto::v1::Channel, mask: &[String], etag: &str) -> Result<Self> {
        let mut changes = ChannelChanges::default();
        for path in mask {
            match path.as_str() {
                "channel_name" => changes.name = Some(channel_name("channel.channel_name", &channel.channel_name)?),
                "blocked" => changes.blocked = Some(channel.blocked),
                "bundle_policy" => {
                    changes.bundle_policy = Some(bundle_policy("channel.bundle_policy", channel.bundle_policy)?);
                }
                "expo_server_defined_headers" => {
                    let text = channel.expo_server_defined_headers.as_deref().unwrap_or_default();
                    changes.expo_server_defined_headers = Some(headers("channel.expo_server_defined_headers", text)?);
                }
                "expo_asset_request_headers" => {
                    let text = &channel.expo_asset_request_headers;
                    changes.expo_asset_request_headers = Some(headers("channel.expo_asset_request_headers", text)?);
                }
                _ => return Err(Error::field("update_mask", format!("may have {}", FIELDS.join(", ")))),
            }
        }
        if mask.is_empty() {
            return Err(Error::field("update_mask", "must not be empty"));
        }
        Ok(Self { path: names::channel("channel.name", &channel.name)?, etag: etag.to_owned(), changes })
    }
}

/// Reads headers for Expo clients.
fn headers<T: FromStr<Err = Invalid>>(field: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(Error::in_field(field))
}

/// Changes the channel; edges learn of it.
///
/// # Errors
/// Conflict when the etag is not the current one; already exists when the name is taken.
pub fn update(tx: &mut Tx<'_>, change: &Change, update: &Update) -> Result<Channel> {
    let scope = &change.caller.scope;
    let before = lookup::channel(tx, scope, &update.path)?;
    etag::check(&update.etag, before.revision, "channel")?;
    let after = db::channels::apply(tx, scope, &before.id, before.revision, &update.changes, change.now)?;
    let blocked = after.blocked.to_string();
    let policy = after.bundle_policy.as_str();
    let server_defined = after.expo_server_defined_headers.as_ref().map_or("", |headers| headers.as_str());
    let of_assets = after.expo_asset_request_headers.headers().keys().cloned().collect::<Vec<_>>().join(",");
    let facts = [
        ("name", after.name.as_str()),
        ("blocked", blocked.as_str()),
        ("bundle_policy", policy),
        ("expo_server_defined_headers", server_defined),
        ("expo_asset_request_headers", &of_assets),
    ];
    record::done(tx, change, "UpdateChannel", names::of_channel(&after.app, &after.id), &facts)?;
    Ok(after)
}
