//! This file's job is to make a channel.

use super::{bundle_policy, channel_name};
use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::Tx;
use db::channels::Channel;
use domain::id::ChannelId;
use domain::warning::BundlePolicy;
use domain::{ChannelName, Environment};
use proto::v1;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewChannel {
    app: AppRef,
    name: ChannelName,
    environment: Option<Environment>,
    bundle_policy: BundlePolicy,
}

impl NewChannel {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::CreateChannelRequest) -> Result<Self> {
        let environment = match v1::Environment::try_from(request.environment) {
            Ok(v1::Environment::Unspecified) => None,
            Ok(v1::Environment::Live) => Some(Environment::Live),
            Ok(v1::Environment::Test) => Some(Environment::Test),
            Err(_) => return Err(Error::field("environment", "is not one of the known values")),
        };
        let app = names::app("parent", &request.parent)?;
        let bundle_policy = bundle_policy("bundle_policy", request.bundle_policy)?;
        Ok(Self { app, name: channel_name("channel_name", &request.channel_name)?, environment, bundle_policy })
    }
}

/// Makes the channel.
///
/// # Errors
/// Permission denied when the caller could not see the channel; already exists when the app has a channel with this name.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewChannel) -> Result<Channel> {
    let scope = &change.caller.scope;
    let own = scope.reach().environment;
    let environment = new.environment.or(own).unwrap_or(Environment::Live);
    // A credential for some channels, or for the other environment, could not see what it made.
    if scope.reach().channels.is_some() || own.is_some_and(|own| own != environment) {
        return Err(Error::forbidden());
    }
    let app = lookup::app(tx, scope, &new.app)?;
    let id = ChannelId::from_parts(change.now, runtime::random::bytes());
    let bundle_policy = new.bundle_policy;
    let channel = Channel { environment, bundle_policy, ..Channel::new(id, app.id, new.name.clone(), change.now) };
    db::channels::insert(tx, scope, &channel)?;
    let resource = names::of_channel(&channel.app, &channel.id);
    record::done(tx, change, "CreateChannel", resource, &[("name", channel.name.as_str())])?;
    Ok(channel)
}
