//! This file's job is to let workflows of a repository publish to a channel, and to end that.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef, ChannelPath, OwnedPath};
use db::Tx;
use db::publishers::Publisher;
use domain::ErrorKind;
use domain::id::PublisherId;
use proto::v1::{self, Reason};

/// Longer values are not what any forge has.
const VALUE_MAX_BYTES: usize = 256;
/// An app has a few repositories and channels; nobody can look through more.
const PUBLISHERS_MAX: usize = 100;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewPublisher {
    app: AppRef,
    channel: ChannelPath,
    issuer: String,
    repository: String,
    repository_id: String,
    owner_id: String,
    workflow: String,
    environment: Option<String>,
    reference: Option<String>,
}

impl NewPublisher {
    /// Checks a request; `is_known` says whether an issuer is configured.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: v1::CreateTrustedPublisherRequest, is_known: impl Fn(&str) -> bool) -> Result<Self> {
        if !is_known(&request.issuer) {
            return Err(Error::field("issuer", "is not one that this server trusts"));
        }
        let id = |field: &'static str, id: String| {
            let fits = !id.is_empty() && id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
            if fits { Ok(id) } else { Err(Error::field(field, "must be the number that the forge's API gives")) }
        };
        Ok(Self {
            app: names::app("parent", &request.parent)?,
            channel: names::channel("channel", &request.channel)?,
            issuer: request.issuer,
            repository: value("repository", request.repository)?,
            repository_id: id("repository_id", request.repository_id)?,
            owner_id: id("owner_id", request.owner_id)?,
            workflow: value("workflow", request.workflow)?,
            environment: optional("environment", request.environment)?,
            reference: optional("ref", request.r#ref)?,
        })
    }
}

fn value(field: &'static str, text: String) -> Result<String> {
    let fits =
        !text.is_empty() && text.len() <= VALUE_MAX_BYTES && text.chars().all(|character| !character.is_control());
    if fits { Ok(text) } else { Err(Error::field(field, "must be 1 to 256 bytes without control characters")) }
}

fn optional(field: &'static str, text: String) -> Result<Option<String>> {
    if text.is_empty() { Ok(None) } else { value(field, text).map(Some) }
}

/// Adds the publisher.
///
/// # Errors
/// Not found for an app or a channel that the caller does not see, or a channel of another app; resource exhausted when there are as
/// many as there may be.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewPublisher) -> Result<Publisher> {
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, &new.app)?;
    let channel = lookup::channel(tx, scope, &new.channel)?;
    if channel.app != app.id {
        return Err(Error::not_found("channel"));
    }
    if db::publishers::list(tx, scope, &app.id)?.len() >= PUBLISHERS_MAX {
        let message = format!("the app has {PUBLISHERS_MAX} trusted publishers: remove some");
        let refusal = Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message);
        return Err(refusal.with("limit", PUBLISHERS_MAX));
    }
    let row = Publisher {
        id: PublisherId::from_parts(change.now, runtime::random::bytes()),
        app: app.id,
        channel: channel.id,
        issuer: new.issuer.clone(),
        repository: new.repository.clone(),
        repository_id: new.repository_id.clone(),
        owner_id: new.owner_id.clone(),
        workflow: new.workflow.clone(),
        environment: new.environment.clone(),
        reference: new.reference.clone(),
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
    };
    db::publishers::insert(tx, scope, &row)?;
    let facts =
        [("repository", row.repository.as_str()), ("workflow", &row.workflow), ("channel", row.channel.as_str())];
    record::done(tx, change, "CreateTrustedPublisher", names::of_publisher(&row.app, &row.id), &facts)?;
    Ok(row)
}

/// Removes the publisher. Keys that its workflows have live on for their quarter of an hour.
///
/// # Errors
/// Not found, also for a publisher of another app or organization.
pub fn delete(tx: &mut Tx<'_>, change: &Change, path: &OwnedPath<PublisherId>) -> Result<()> {
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, &path.app)?;
    db::publishers::delete(tx, scope, &app.id, &path.id)?;
    record::done(tx, change, "DeleteTrustedPublisher", names::of_publisher(&app.id, &path.id), &[])
}
