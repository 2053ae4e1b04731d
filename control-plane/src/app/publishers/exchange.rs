//! This file's job is to exchange a workflow's identity for a key of 15 minutes that publishes to one channel of one app.

use super::workload::Workload;
use crate::app::{api_keys, record};
use crate::auth::caller::{Actor, ActorKind};
use crate::auth::grant::{Grant, KeyLimits};
use crate::auth::oidc::claims::LEEWAY;
use crate::auth::oidc::token::Unverified;
use crate::auth::oidc::{Expected, Issuers};
use crate::auth::verify::Hasher;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::names;
use db::api_keys::ApiKey;
use db::publishers::{Found, UsedToken};
use db::{DbConn, Reach, Role, Tx};
use domain::id::ApiKeyId;
use domain::{ErrorKind, Sha256, Timestamp};
use proto::v1::Reason;
use std::net::IpAddr;
use std::time::Duration;

/// Enough to upload and publish.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// What publishing takes.
const ACTIONS: [&str; 5] = ["upload.write", "release.write", "bundle.read", "channel.read", "app.read"];

use super::Forges;

/// A key that a workflow gets.
pub struct Exchanged {
    /// The whole key.
    pub secret: String,
    /// The key as it is stored.
    pub key: ApiKey,
    /// What the workflow may publish to.
    pub publisher: Found,
}

/// Exchanges a token. `wanted` is a channel's name, id or full resource name, for repositories that publish to several; empty when there
/// is only one.
///
/// # Errors
/// Unauthenticated when the token is not to be believed or was used; permission denied when no publisher trusts what it says;
/// unavailable when its issuer does not answer.
pub async fn exchange(
    (context, issuers, forges, hasher): (&Context, &Issuers, &Forges, &Hasher),
    (token, wanted): (&str, &str),
    peer: Option<IpAddr>,
) -> Result<Exchanged> {
    context.door.try_exchange(peer, context.clock.now())?;
    let token = Unverified::read(token).ok_or_else(|| invalid("it is not a token of a workflow"))?;
    let issuer = token.claims.text("iss").unwrap_or_default();
    let forge = forges.of(&issuer).ok_or_else(|| invalid("its issuer is not one that this server trusts"))?;
    let audience = context.site.page("");
    let claims = issuers.verify(token, Expected { issuer: &issuer, audience: &audience }).await?;
    let workload = claims.and_then(|claims| Workload::read(forge, &claims)).map_err(|rule| invalid(&rule))?;
    let (looked_for, wanted_text) = ((issuer.clone(), workload.clone()), wanted.to_owned());
    // A token that leads to nothing must not cost a hash.
    let found = context.read(move |conn| find(conn, &looked_for.0, &looked_for.1, &wanted_text)).await?;
    let minted = api_keys::mint(hasher, found.environment).await?;
    let (secret, stored) = (minted.key.expose().to_owned(), minted.stored.clone());
    let public_id = minted.key.public_id().to_owned();
    let wanted = wanted.to_owned();
    let written = context.change(move |tx, now| {
        let publisher = find(tx, &issuer, &workload, &wanted)?;
        use_up(tx, &issuer, &workload)?;
        let key = key(&publisher, &workload, (&public_id, &stored), now)?;
        db::api_keys::insert(tx, &key)?;
        note(tx, &publisher, &workload, &key, now)?;
        Ok((key, publisher))
    });
    let (key, publisher) = written.await?;
    Ok(Exchanged { secret, key, publisher })
}

/// Remembers the token's id until nobody could believe the token any more: with the leeway, else the time between its end and the
/// leeway's would be a window for replays.
fn use_up(tx: &mut Tx<'_>, issuer: &str, workload: &Workload) -> Result<()> {
    let used = UsedToken {
        token_hash: Sha256::of(format!("{issuer}\0{}", workload.token_id).as_bytes()),
        expires_at: workload.ends_at.plus(LEEWAY * 2),
    };
    match db::publishers::use_token(tx, &used) {
        Err(db::Error::AlreadyExists { .. }) => Err(invalid("it was used already")),
        used => Ok(used?),
    }
}

/// Finds the one publisher that trusts the workload.
fn find(conn: &mut DbConn, issuer: &str, workload: &Workload, wanted: &str) -> Result<Found> {
    let candidates = db::publishers::list_of_repository(conn, issuer, &workload.repository_id)?;
    let mut why = format!("no trusted publisher names the repository {} by its id", workload.repository);
    let mut trusting = Vec::new();
    for candidate in candidates {
        match mismatch(&candidate, workload, wanted) {
            Some(rule) => why = rule,
            None => trusting.push(candidate),
        }
    }
    let several = trusting.len() > 1;
    let found = trusting.pop().ok_or_else(|| refused(&why))?;
    if several {
        return Err(refused("several trusted publishers match: say which channel is meant"));
    }
    if found.suspended { Err(Error::suspended()) } else { Ok(found) }
}

/// Says how a publisher does not match. Ids, not names: a name can be given away, and be taken by somebody else.
fn mismatch(found: &Found, workload: &Workload, wanted: &str) -> Option<String> {
    let publisher = &found.publisher;
    let names = [
        found.channel_name.to_string(),
        publisher.channel.to_string(),
        names::of_channel(&publisher.app, &publisher.channel),
        format!("apps/{}/channels/{}", found.app_slug, found.channel_name),
    ];
    let differs =
        |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_some_and(|wanted| Some(wanted) != has);
    if publisher.owner_id != workload.owner_id {
        return Some("the repository has another owner than the trusted publisher".to_owned());
    }
    if publisher.workflow != workload.workflow {
        return Some(format!("the workflow is {}, not {}", workload.workflow, publisher.workflow));
    }
    if differs(&publisher.environment, workload.environment.as_deref()) {
        return Some("the workflow runs in another environment than the trusted publisher".to_owned());
    }
    if differs(&publisher.reference, Some(&workload.reference)) {
        return Some(format!(
            "the workflow runs for {}, which the trusted publisher does not name",
            workload.reference
        ));
    }
    (!wanted.is_empty() && names.iter().all(|name| name != wanted))
        .then(|| "the trusted publisher is for another channel".to_owned())
}

fn key(found: &Found, workload: &Workload, minted: (&str, &str), now: Timestamp) -> Result<ApiKey> {
    let actions =
        ACTIONS.iter().map(|action| action.parse()).collect::<std::result::Result<_, domain::error::Invalid>>();
    let actions =
        actions.map_err(|cause| Error::Broken { what: "an action of ours is malformed", cause: cause.into() })?;
    let reach = Reach {
        apps: Some(vec![found.publisher.app.clone()]),
        channels: Some(vec![found.publisher.channel.clone()]),
        environment: None,
    };
    let name: String = format!("{} run {}", workload.repository, workload.run).chars().take(100).collect();
    Ok(ApiKey {
        id: ApiKeyId::from_parts(now, runtime::random::bytes()),
        organization: found.organization.clone(),
        public_id: minted.0.to_owned(),
        secret_bcrypt: minted.1.to_owned(),
        name,
        role: Role::Developer,
        scopes: KeyLimits { reach, grant: Grant::new(actions) }.stored(),
        created_by: found.publisher.id.to_string(),
        created_at: now,
        expires_at: Some(now.plus(LIFETIME)),
        revoked_at: None,
        last_used_at: None,
    })
}

fn note(tx: &mut Tx<'_>, found: &Found, workload: &Workload, key: &ApiKey, now: Timestamp) -> Result<()> {
    let publisher = &found.publisher;
    let actor =
        Actor { kind: ActorKind::Workflow, id: publisher.id.to_string(), credential: workload.repository.clone() };
    let facts = [
        ("public_id", key.public_id.as_str()),
        ("repository", &workload.repository),
        ("workflow", &workload.workflow),
        ("ref", &workload.reference),
        ("commit", &workload.commit),
        ("run", &workload.run),
    ];
    let what = ("ExchangeToken", names::of_publisher(&publisher.app, &publisher.id));
    record::by(tx, &actor, &found.organization, now, what, &facts)
}

fn invalid(rule: &str) -> Error {
    Error::refused(ErrorKind::Unauthenticated, Reason::TokenRefused, format!("the token is refused: {rule}"))
}

fn refused(rule: &str) -> Error {
    Error::refused(ErrorKind::PermissionDenied, Reason::TokenRefused, format!("the token gets no key: {rule}"))
}
