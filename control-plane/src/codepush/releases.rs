//! This file's job is to list, change, promote and roll back releases as CodePush's clients do.

use super::apps::mask;
use super::provenance::Provenance;
use super::refusal::Refusal;
use super::services::{Services, all};
use super::wire::{About, Links, PackageInfo, Rollout, package, share_ppm};
use super::{deployments, name};
use axum::body::Body;
use axum::response::Response;
use domain::Ppm;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use proto::v1;
use serde_json::{Map, Value, json};
use tokio_stream::StreamExt as _;
use tonic::Status;

/// Few enough for one answer, however long their notes are.
const PAGE_SIZE: i32 = 200;

/// Where a request points to.
pub(super) type Place<'a> = (&'a str, &'a str);

/// `GET /apps/{app}/deployments/{deployment}/history`: oldest first.
pub(super) async fn history(
    services: &Services,
    links: &Links,
    (app, deployment): Place<'_>,
) -> Result<Value, Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    let releases = list(services, &channel.name).await?;
    let provenance = Provenance::of(services, &releases).await?;
    let shown = releases.iter().rev().map(|release| package(release, links, Rollout::Stored, &provenance));
    Ok(json!({ "history": shown.collect::<Vec<_>>() }))
}

/// `DELETE /apps/{app}/deployments/{deployment}/history`: labels go on.
pub(super) async fn clear(services: &Services, (app, deployment): Place<'_>) -> Result<(), Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    for release in list(services, &channel.name).await? {
        if release.enabled {
            update(services, v1::Release { enabled: false, ..release.clone() }, &["enabled"]).await?;
        }
        let request = v1::DeleteReleaseRequest { name: release.name, etag: String::new() };
        services.releases().delete_release(request).await?;
    }
    Ok(())
}

/// `PATCH /apps/{app}/deployments/{deployment}/release`
pub(super) async fn patch(
    services: &Services,
    links: &Links,
    (app, deployment): Place<'_>,
    about: About,
) -> Result<Option<Value>, Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    let info = about.package_info;
    let before = chosen(services, &channel.name, &info).await?;
    let share = new_share(&before, &info)?;
    let (changed, paths) = changed(&before, &info);
    let mut after = None;
    if !paths.is_empty() {
        after = Some(update(services, changed, &paths).await?);
    }
    if let Some(share_ppm) = share {
        let request = v1::SetRolloutRequest { name: before.name, share_ppm: Some(share_ppm), ..Default::default() };
        after = services.releases().set_rollout(request).await?.into_inner().release;
    }
    match after {
        Some(release) => Ok(Some(told(services, links, &release).await?)),
        None => Ok(None),
    }
}

/// Writes a release that the request made or changed.
pub(super) async fn told(services: &Services, links: &Links, release: &v1::Release) -> Result<Value, Status> {
    let provenance = Provenance::of(services, std::slice::from_ref(release)).await?;
    Ok(json!({ "package": package(release, links, Rollout::Told, &provenance) }))
}

/// `POST /apps/{app}/deployments/{deployment}/promote/{to}`
pub(super) async fn promote(
    services: &Services,
    links: &Links,
    (app, deployment, to): (&str, &str, &str),
    about: About,
) -> Result<Value, Refusal> {
    let from = name::channel(services, app, deployment).await?;
    let to = name::channel(services, app, to).await?;
    let info = about.package_info;
    let source = chosen(services, &from.name, &info).await?;
    refuse_same(services, &to.name, &v1::Release { target: info.target().or(source.target.clone()), ..source.clone() })
        .await?;
    let request = v1::PromoteReleaseRequest {
        name: source.name.clone(),
        to_channel: to.name,
        target: info.target(),
        mandatory: info.is_mandatory,
        notes: info.notes(),
        share_ppm: info.share_ppm()?,
        disabled: info.is_disabled.unwrap_or(!source.enabled),
        request_id: services.request_id(),
        ..Default::default()
    };
    let made = services.releases().promote_release(request).await?.into_inner().release.unwrap_or_default();
    Ok(told(services, links, &made).await?)
}

/// `POST /apps/{app}/deployments/{deployment}/rollback/{label}`: to the release before without a label.
pub(super) async fn roll_back(
    services: &Services,
    links: &Links,
    (app, deployment): Place<'_>,
    label: Option<&str>,
) -> Result<Value, Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    let platform = deployments::platform_of(services, &channel).await?;
    let request = v1::RollBackChannelRequest {
        name: channel.name,
        platform: proto::convert::platform_to_wire(platform).into(),
        to: label.map(|label| v1::roll_back_channel_request::To::Release(label.to_owned())),
        request_id: services.request_id(),
        ..Default::default()
    };
    let made = services.releases().roll_back_channel(request).await?.into_inner().release.unwrap_or_default();
    Ok(told(services, links, &made).await?)
}

/// `GET /apps/{app}/deployments/{deployment}/metrics`
pub(super) async fn metrics(services: &Services, (app, deployment): Place<'_>) -> Result<Value, Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    let request = v1::CountReportsRequest { parent: channel.name };
    let counted = services.releases().count_reports(request).await?.into_inner().releases;
    let of_label = counted.into_iter().map(|one| {
        let v1::ReleaseActivity { downloaded, launched, rolled_back, .. } = one.activity.unwrap_or_default();
        let counts = json!({
            "active": one.active, "downloaded": downloaded, "failed": rolled_back, "installed": launched,
        });
        (one.label, counts)
    });
    Ok(json!({ "metrics": Map::from_iter(of_label) }))
}

/// `GET /apps/{app}/deployments/{deployment}/packages/{release}`: the zip file that devices get.
pub(super) async fn download(
    services: &Services,
    (app, deployment, release): (&str, &str, &str),
) -> Result<Response, Refusal> {
    let channel = name::channel(services, app, deployment).await?;
    let release = get(services, &channel.name, release).await?;
    let packed = release.codepush_package.ok_or_else(|| Refusal::not_found("package"))?;
    let request = v1::DownloadPackageRequest { name: release.bundle };
    let pieces = services.bundles().download_package(request).await?.into_inner();
    let response =
        Response::builder().header(CONTENT_TYPE, "application/zip").header(CONTENT_LENGTH, packed.size_bytes);
    let body = Body::from_stream(pieces.map(|piece| piece.map(|piece| piece.data)));
    response.body(body).map_err(|_| Refusal::not_found("package"))
}

/// Refuses a release that would bring a channel what it has.
pub(super) async fn refuse_same(services: &Services, channel: &str, new: &v1::Release) -> Result<(), Refusal> {
    let current = list(services, channel).await?.into_iter().find(|release| release.platform == new.platform);
    if current.is_some_and(|current| current.bundle == new.bundle && current.target == new.target) {
        let text = "The uploaded package was not released because it is identical to the contents of the specified \
            deployment's current release.";
        return Err(Refusal::conflict(text));
    }
    Ok(())
}

/// Returns a channel's newest release.
pub(super) async fn newest(services: &Services, channel: &str) -> Result<Option<v1::Release>, Status> {
    let request = v1::ListReleasesRequest { parent: channel.to_owned(), page_size: 1, page_token: String::new() };
    Ok(services.releases().list_releases(request).await?.into_inner().releases.pop())
}

/// Returns one of a channel's releases, by its label or its id.
pub(super) async fn get(services: &Services, channel: &str, release: &str) -> Result<v1::Release, Status> {
    let request = v1::GetReleaseRequest { name: format!("{channel}/releases/{release}") };
    Ok(services.releases().get_release(request).await?.into_inner().release.unwrap_or_default())
}

/// Lists a channel's releases, newest first.
pub(super) async fn list(services: &Services, channel: &str) -> Result<Vec<v1::Release>, Status> {
    all(|page_token| async move {
        let request = v1::ListReleasesRequest { parent: channel.to_owned(), page_size: PAGE_SIZE, page_token };
        let page = services.releases().list_releases(request).await?.into_inner();
        Ok((page.releases, page.next_page_token))
    })
    .await
}

async fn chosen(services: &Services, channel: &str, info: &PackageInfo) -> Result<v1::Release, Refusal> {
    match info.label.as_deref().filter(|label| !label.is_empty()) {
        Some(label) => Ok(get(services, channel, label).await?),
        None => newest(services, channel).await?.ok_or_else(|| Refusal::not_found("release")),
    }
}

async fn update(services: &Services, release: v1::Release, paths: &[&str]) -> Result<v1::Release, Status> {
    let request =
        v1::UpdateReleaseRequest { release: Some(release), update_mask: Some(mask(paths)), etag: String::new() };
    Ok(services.releases().update_release(request).await?.into_inner().release.unwrap_or_default())
}

/// Returns the share that a release gets. Rollouts only grow, and a finished one stays that.
fn new_share(before: &v1::Release, info: &PackageInfo) -> Result<Option<u32>, Refusal> {
    let (now, wanted) = (share_ppm(before), info.share_ppm()?);
    match wanted {
        Some(_) if now == Ppm::ALL.get() => {
            Err(Refusal::conflict("the rollout is finished: every device gets the release"))
        }
        Some(wanted) if wanted < now => Err(Refusal::conflict("a rollout can only grow")),
        wanted => Ok(wanted.filter(|wanted| *wanted != now)),
    }
}

/// Returns the release with what the request changes, and the names of the changed fields.
fn changed(before: &v1::Release, info: &PackageInfo) -> (v1::Release, Vec<&'static str>) {
    let after = v1::Release {
        notes: info.notes().unwrap_or_else(|| before.notes.clone()),
        mandatory: info.is_mandatory.unwrap_or(before.mandatory),
        enabled: info.is_disabled.map_or(before.enabled, |disabled| !disabled),
        target: info.target().or(before.target.clone()),
        ..before.clone()
    };
    let differs = [
        ("notes", after.notes != before.notes),
        ("mandatory", after.mandatory != before.mandatory),
        ("enabled", after.enabled != before.enabled),
        ("target", after.target != before.target),
    ];
    let paths = differs.into_iter().filter_map(|(path, differs)| differs.then_some(path)).collect();
    (after, paths)
}
