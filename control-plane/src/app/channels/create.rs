//! This file's job is to make a channel.

use super::channel_name;
use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::Result;
use crate::names::{self, AppRef};
use db::Tx;
use db::channels::Channel;
use domain::ChannelName;
use domain::id::ChannelId;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewChannel {
    app: AppRef,
    name: ChannelName,
}

impl NewChannel {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(parent: &str, name: &str) -> Result<Self> {
        Ok(Self { app: names::app("parent", parent)?, name: channel_name("channel_name", name)? })
    }
}

/// Makes the channel.
///
/// # Errors
/// Already exists when the app has a channel with this name.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewChannel) -> Result<Channel> {
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, &new.app)?;
    let id = ChannelId::from_parts(change.now, runtime::random::bytes());
    let channel = Channel::new(id, app.id, new.name.clone(), change.now);
    db::channels::insert(tx, scope, &channel)?;
    let resource = names::of_channel(&channel.app, &channel.id);
    record::done(tx, change, "CreateChannel", resource, &[("name", channel.name.as_str())])?;
    Ok(channel)
}
