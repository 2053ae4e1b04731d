//! This file's job is to delete a channel with its releases and pins.

use crate::app::{etag, lookup, record};
use crate::context::Change;
use crate::error::Result;
use crate::names::{self, ChannelPath};
use db::Tx;

/// Deletes the channel; edges learn of it.
///
/// # Errors
/// Conflict when the etag is not the current one.
pub fn delete(tx: &mut Tx<'_>, change: &Change, path: &ChannelPath, tag: &str) -> Result<()> {
    let scope = &change.caller.scope;
    let channel = lookup::channel(tx, scope, path)?;
    etag::check(tag, channel.revision, "channel")?;
    db::channels::delete(tx, scope, &channel.id, Some(channel.revision), change.now)?;
    let resource = names::of_channel(&channel.app, &channel.id);
    record::done(tx, change, "DeleteChannel", resource, &[("name", channel.name.as_str())])
}
