//! This file's job is to show, make, rename and delete channels as CodePush's deployments.

use super::apps::mask;
use super::refusal::Refusal;
use super::releases::newest;
use super::services::{Services, all};
use super::wire::{Links, Rollout, package};
use super::{name, provenance::Provenance};
use domain::Platform;
use domain::codepush::{platform_of_name, short_name};
use proto::convert::platform_from_wire;
use proto::v1;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic::Status;

/// What a request says of a new deployment.
#[derive(Debug, Deserialize)]
pub(super) struct NewDeployment {
    name: String,
    /// A key that apps have already.
    key: Option<String>,
}

/// What a request changes of a deployment.
#[derive(Debug, Deserialize)]
pub(super) struct Changes {
    name: Option<String>,
    /// A key that apps have already, or are to have.
    key: Option<String>,
}

/// `GET /apps/{app}/deployments`
pub(super) async fn list(services: &Services, links: &Links, app: &str) -> Result<Value, Refusal> {
    let app = name::app(services, app).await?;
    let mut shown = Vec::new();
    for channel in channels(services, &app.name).await? {
        shown.push(show(services, links, &channel).await?);
    }
    Ok(json!({ "deployments": shown }))
}

/// `GET /apps/{app}/deployments/{deployment}`
pub(super) async fn get(services: &Services, links: &Links, app: &str, deployment: &str) -> Result<Value, Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    Ok(json!({ "deployment": show(services, links, &channel).await? }))
}

/// `POST /apps/{app}/deployments`
pub(super) async fn create(services: &Services, app: &str, new: NewDeployment) -> Result<Value, Refusal> {
    let app = name::app(services, app).await?;
    let platform = platform_of_app(services, &app).await?;
    let (channel, key) = make(services, &app.name, (&new.name, new.key), platform).await?;
    Ok(json!({ "deployment": { "name": name::of_channel(&channel), "key": key.key, "id": channel.channel_id } }))
}

/// `PATCH /apps/{app}/deployments/{deployment}`
pub(super) async fn change(
    services: &Services,
    links: &Links,
    (app, deployment): (&str, &str),
    changes: Changes,
) -> Result<Option<Value>, Refusal> {
    let mut channel = name::channel(services, app, deployment).await?;
    let name = changes.name.map(|wanted| short_name(&wanted)).filter(|wanted| *wanted != channel.channel_name);
    let known = keys(services, &channel.name).await?;
    let key = changes.key.filter(|wanted| known.first().is_none_or(|newest| newest.key != *wanted));
    if name.is_none() && key.is_none() {
        return Ok(None);
    }
    if let Some(deployment_key) = key {
        change_key(services, app, &channel, (&known, deployment_key)).await?;
    }
    if let Some(channel_name) = name {
        channel = rename(services, channel, channel_name).await?;
    }
    Ok(Some(json!({ "deployment": show(services, links, &channel).await? })))
}

/// Gives the deployment another key. The ones before go on: apps in the field have them.
async fn change_key(
    services: &Services,
    app: &str,
    channel: &v1::Channel,
    (known, deployment_key): (&[v1::DeploymentKey], String),
) -> Result<(), Refusal> {
    if known.iter().any(|key| key.key == deployment_key) {
        return Err(Refusal::conflict("the deployment had this key before its present one, and still has it"));
    }
    let platform = match only(known) {
        Some(platform) => platform,
        None => platform_of_app(services, &name::app(services, app).await?).await?,
    };
    make_key(services, channel, platform, deployment_key).await?;
    Ok(())
}

async fn rename(services: &Services, before: v1::Channel, channel_name: String) -> Result<v1::Channel, Status> {
    let request = v1::UpdateChannelRequest {
        channel: Some(v1::Channel { channel_name, ..before }),
        update_mask: Some(mask(&["channel_name"])),
        etag: String::new(),
    };
    Ok(services.channels().update_channel(request).await?.into_inner().channel.unwrap_or_default())
}

/// `DELETE /apps/{app}/deployments/{deployment}`
pub(super) async fn delete(services: &Services, app: &str, deployment: &str) -> Result<(), Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    services.channels().delete_channel(v1::DeleteChannelRequest { name: channel.name, etag: String::new() }).await?;
    Ok(())
}

/// Makes a channel with a key; when there is no key to take over, a new one.
pub(super) async fn make(
    services: &Services,
    app: &str,
    (deployment, key): (&str, Option<String>),
    platform: Platform,
) -> Result<(v1::Channel, v1::DeploymentKey), Status> {
    let request =
        v1::CreateChannelRequest { parent: app.to_owned(), channel_name: short_name(deployment), ..Default::default() };
    let channel = services.channels().create_channel(request).await?.into_inner().channel.unwrap_or_default();
    let key = make_key(services, &channel, platform, key.unwrap_or_default()).await?;
    Ok((channel, key))
}

async fn make_key(
    services: &Services,
    channel: &v1::Channel,
    platform: Platform,
    deployment_key: String,
) -> Result<v1::DeploymentKey, Status> {
    let request = v1::CreateDeploymentKeyRequest {
        parent: channel.name.clone(),
        platform: proto::convert::platform_to_wire(platform).into(),
        deployment_key,
        ..Default::default()
    };
    let made = services.deployment_keys().create_deployment_key(request).await?.into_inner();
    Ok(made.deployment_key.unwrap_or_default())
}

/// Lists an app's channels.
pub(super) async fn channels(services: &Services, app: &str) -> Result<Vec<v1::Channel>, Status> {
    all(|page_token| async move {
        let request = v1::ListChannelsRequest { parent: app.to_owned(), page_token, ..Default::default() };
        let page = services.channels().list_channels(request).await?.into_inner();
        Ok((page.channels, page.next_page_token))
    })
    .await
}

/// Lists a channel's keys, the newest first: that is the one which the deployment was given last.
async fn keys(services: &Services, channel: &str) -> Result<Vec<v1::DeploymentKey>, Status> {
    let request = v1::ListDeploymentKeysRequest { parent: channel.to_owned() };
    let mut keys = services.deployment_keys().list_deployment_keys(request).await?.into_inner().deployment_keys;
    keys.sort_by_key(|key| std::cmp::Reverse(key.created_at_us));
    Ok(keys)
}

/// Returns what a deployment's apps run on: its keys say it.
pub(super) async fn platform_of(services: &Services, channel: &v1::Channel) -> Result<Platform, Refusal> {
    let keys = keys(services, &channel.name).await?;
    only(&keys).ok_or_else(|| {
        Refusal::conflict("the deployment's keys do not say for which platform it is: use \"aloft release\"")
    })
}

/// Returns what an app runs on: its name says it, else its deployments' keys.
async fn platform_of_app(services: &Services, app: &v1::App) -> Result<Platform, Refusal> {
    if let Some(platform) = platform_of_name(&app.slug).or_else(|| platform_of_name(&app.display_name)) {
        return Ok(platform);
    }
    let mut found = Vec::new();
    for channel in channels(services, &app.name).await? {
        found.extend(keys(services, &channel.name).await?);
    }
    only(&found).ok_or_else(|| {
        Refusal::conflict(
            "neither the app's name nor its keys say for which platform it is: use \"aloft deployment-key create\"",
        )
    })
}

/// Returns the platform that all keys have.
fn only(keys: &[v1::DeploymentKey]) -> Option<Platform> {
    let mut platforms = keys.iter().map(|key| platform_from_wire(key.platform, "platform").ok());
    let first = platforms.next()??;
    platforms.all(|other| other == Some(first)).then_some(first)
}

async fn show(services: &Services, links: &Links, channel: &v1::Channel) -> Result<Value, Status> {
    let keys = keys(services, &channel.name).await?;
    let newest = newest(services, &channel.name).await?;
    let provenance = Provenance::of(services, newest.as_slice()).await?;
    Ok(json!({
        "name": name::of_channel(channel),
        "key": keys.first().map_or("", |key| &key.key),
        "id": channel.channel_id,
        "package": newest.map(|release| package(&release, links, Rollout::Stored, &provenance)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_platforms_say_nothing() {
        let key = |platform: v1::Platform| v1::DeploymentKey { platform: platform.into(), ..Default::default() };
        let (ios, android) = (key(v1::Platform::Ios), key(v1::Platform::Android));
        assert_eq!(only(&[ios.clone(), ios.clone()]), Some(Platform::Ios));
        assert_eq!((only(&[ios, android]), only(&[])), (None, None));
    }
}
