//! This file's job is to show, make, rename and delete apps as CodePush's clients know them.

use super::account::Account;
use super::refusal::Refusal;
use super::services::{Services, all};
use super::{account, deployments, name};
use domain::codepush::{platform_of_name, short_name};
use proto::v1;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic::Status;

/// What a request says of a new app.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewApp {
    name: String,
    /// "iOS" or "Android"; clients of a later time do not say.
    os: Option<String>,
    #[serde(default)]
    manually_provision_deployments: bool,
}

/// A new name.
#[derive(Debug, Deserialize)]
pub(super) struct NewName {
    pub(super) name: Option<String>,
}

/// `GET /apps`
pub(super) async fn list(services: &Services) -> Result<Value, Refusal> {
    let account = account::of(services).await?;
    let apps = all(|page_token| async move {
        let page = services.apps().list_apps(v1::ListAppsRequest { page_token, ..Default::default() }).await?;
        let page = page.into_inner();
        Ok((page.apps, page.next_page_token))
    });
    let mut shown = Vec::new();
    for app in apps.await? {
        shown.push(show(services, &account, &app).await?);
    }
    Ok(json!({ "apps": shown }))
}

/// `GET /apps/{app}`
pub(super) async fn get(services: &Services, app: &str) -> Result<Value, Refusal> {
    let app = name::app(services, app).await?;
    let account = account::of(services).await?;
    Ok(json!({ "app": show(services, &account, &app).await? }))
}

/// `POST /apps`
pub(super) async fn create(services: &Services, new: NewApp) -> Result<Value, Refusal> {
    let platform = new.os.as_deref().and_then(platform_of_name).or_else(|| platform_of_name(&new.name));
    if platform.is_none() && !new.manually_provision_deployments {
        return Err(Refusal::field(
            "name",
            "must end with \"ios\" or \"android\", unless \"os\" says what the app is for",
        ));
    }
    let request =
        v1::CreateAppRequest { slug: short_name(&new.name), display_name: new.name, request_id: services.request_id() };
    let app = services.apps().create_app(request).await?.into_inner().app.unwrap_or_default();
    if let Some(platform) = platform.filter(|_| !new.manually_provision_deployments) {
        for first in name::FIRST_DEPLOYMENTS {
            deployments::make(services, &app.name, (first, None), platform).await?;
        }
    }
    let account = account::of(services).await?;
    Ok(json!({ "app": show(services, &account, &app).await? }))
}

/// `PATCH /apps/{app}`
pub(super) async fn rename(services: &Services, app: &str, new: NewName) -> Result<Option<Value>, Refusal> {
    let before = name::app(services, app).await?;
    let Some(wanted) = new.name.filter(|wanted| wanted != name::of_app(&before)) else { return Ok(None) };
    let changed = v1::App { slug: short_name(&wanted), display_name: wanted, ..before };
    let request = v1::UpdateAppRequest {
        app: Some(changed),
        update_mask: Some(mask(&["slug", "display_name"])),
        etag: String::new(),
    };
    let app = services.apps().update_app(request).await?.into_inner().app.unwrap_or_default();
    let account = account::of(services).await?;
    Ok(Some(json!({ "app": show(services, &account, &app).await? })))
}

/// `DELETE /apps/{app}`: with its deployments.
pub(super) async fn delete(services: &Services, app: &str) -> Result<(), Refusal> {
    let app = name::app(services, app).await?;
    for channel in deployments::channels(services, &app.name).await? {
        let request = v1::DeleteChannelRequest { name: channel.name, etag: String::new() };
        services.channels().delete_channel(request).await?;
    }
    services.apps().delete_app(v1::DeleteAppRequest { name: app.name, etag: String::new() }).await?;
    Ok(())
}

/// Returns the names of fields that an update changes.
pub(super) fn mask(paths: &[&str]) -> prost_types::FieldMask {
    prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }
}

async fn show(services: &Services, account: &Account, app: &v1::App) -> Result<Value, Status> {
    let channels = deployments::channels(services, &app.name).await?;
    let deployments: Vec<&str> = channels.iter().map(name::of_channel).collect();
    let collaborators = account::own_place(account);
    Ok(json!({ "name": name::of_app(app), "collaborators": collaborators, "deployments": deployments }))
}
