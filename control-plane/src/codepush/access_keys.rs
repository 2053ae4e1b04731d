//! This file's job is to show API keys as CodePush's access keys, to make, to change and to revoke them.

use super::apps::mask;
use super::refusal::Refusal;
use super::services::{Services, all};
use super::{account, sessions};
use domain::Timestamp;
use proto::v1;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tonic::Status;

/// What clients get who do not say how long a key should live.
const LIFETIME_DEFAULT_MS: u64 = 60 * 24 * 60 * 60 * 1_000;
/// Clients know no key that lives for ever, but this is the last moment that JavaScript knows.
const NEVER_MS: i64 = 8_640_000_000_000_000;
/// A key for trials says so itself; what it makes is for trials, too.
const TEST_KEY_PREFIX: &str = "cp_test_";
/// What is shown instead of a secret.
const HIDDEN: &str = "(hidden)";

/// A request for a key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewKey {
    friendly_name: String,
    /// Lifetime in milliseconds.
    ttl: Option<u64>,
}

/// What a request changes of a key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    friendly_name: Option<String>,
    /// Lifetime from now on in milliseconds.
    ttl: Option<u64>,
}

/// `GET /accessKeys`: with the sessions of the person who asks.
pub(super) async fn list(services: &Services) -> Result<Value, Refusal> {
    let account = account::of(services).await?;
    let sessions = sessions::list(services, &account).await?;
    let mut keys: Vec<Value> = active(services).await?.iter().map(|key| shown(key, HIDDEN)).collect();
    keys.extend(sessions.iter().map(|session| sessions::shown(session, HIDDEN)));
    Ok(json!({ "accessKeys": keys }))
}

/// `GET /accessKeys/{name}`
pub(super) async fn get(services: &Services, name: &str) -> Result<Value, Refusal> {
    Ok(json!({ "accessKey": shown(&find(services, name).await?, HIDDEN) }))
}

/// `POST /accessKeys`: a key that may do what the caller's own role may. The secret is in this answer and never again.
pub(super) async fn create(services: &Services, new: NewKey, now: Timestamp) -> Result<Value, Refusal> {
    if active(services).await?.iter().any(|key| is_named(key, &new.friendly_name)) {
        return Err(Refusal::conflict("an access key with this name exists already"));
    }
    let lifetime = Duration::from_millis(new.ttl.unwrap_or(LIFETIME_DEFAULT_MS));
    let caller = account::of(services).await?.caller;
    let is_for_tests = caller.credential.starts_with(TEST_KEY_PREFIX);
    let environment = if is_for_tests { v1::Environment::Test } else { v1::Environment::Live };
    let request = v1::CreateApiKeyRequest {
        display_name: new.friendly_name,
        role: caller.role,
        environment: environment.into(),
        expires_at_us: now.plus(lifetime).as_us(),
        ..Default::default()
    };
    let made = services.api_keys().create_api_key(request).await?.into_inner();
    Ok(json!({ "accessKey": shown(&made.api_key.unwrap_or_default(), &made.secret) }))
}

/// `PATCH /accessKeys/{name}`
pub(super) async fn change(
    services: &Services,
    name: &str,
    changes: Changes,
    now: Timestamp,
) -> Result<Option<Value>, Refusal> {
    let mut key = find(services, name).await?;
    let mut paths = Vec::new();
    if let Some(wanted) = changes.friendly_name.filter(|wanted| *wanted != key.display_name) {
        if active(services).await?.iter().any(|other| is_named(other, &wanted)) {
            return Err(Refusal::conflict("an access key with this name exists already"));
        }
        key.display_name = wanted;
        paths.push("display_name");
    }
    if let Some(lifetime_ms) = changes.ttl {
        key.expires_at_us = now.plus(Duration::from_millis(lifetime_ms)).as_us();
        paths.push("expires_at_us");
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let request = v1::UpdateApiKeyRequest { api_key: Some(key), update_mask: Some(mask(&paths)) };
    let key = services.api_keys().update_api_key(request).await?.into_inner().api_key.unwrap_or_default();
    Ok(Some(json!({ "accessKey": shown(&key, HIDDEN) })))
}

/// `DELETE /accessKeys/{name}`
pub(super) async fn delete(services: &Services, name: &str) -> Result<(), Refusal> {
    let key = find(services, name).await?;
    services.api_keys().revoke_api_key(v1::RevokeApiKeyRequest { name: key.name }).await?;
    Ok(())
}

async fn active(services: &Services) -> Result<Vec<v1::ApiKey>, Status> {
    let mut keys = all(|page_token| async move {
        let request = v1::ListApiKeysRequest { page_token, ..Default::default() };
        let page = services.api_keys().list_api_keys(request).await?.into_inner();
        Ok((page.api_keys, page.next_page_token))
    })
    .await?;
    keys.retain(|key| key.revoked_at_us == 0);
    Ok(keys)
}

async fn find(services: &Services, name: &str) -> Result<v1::ApiKey, Refusal> {
    let found = active(services).await?.into_iter().find(|key| is_named(key, name));
    found.ok_or_else(|| Refusal::not_found("access key"))
}

fn is_named(key: &v1::ApiKey, name: &str) -> bool {
    [&key.display_name, &key.public_id, &key.key_id].into_iter().any(|known| known == name)
}

fn shown(key: &v1::ApiKey, secret: &str) -> Value {
    json!({
        "id": key.key_id,
        "name": secret,
        "friendlyName": key.display_name,
        "description": key.display_name,
        "createdBy": key.created_by,
        "createdTime": key.created_at_us / 1_000,
        "expires": if key.expires_at_us == 0 { NEVER_MS } else { key.expires_at_us / 1_000 },
    })
}
