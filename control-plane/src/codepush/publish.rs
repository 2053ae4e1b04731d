//! This file's job is to release an uploaded package: upload it, wait until it is a bundle, publish that.

use super::package_form::{self, PackageFile};
use super::refusal::Refusal;
use super::releases::{get, refuse_same, told};
use super::services::Services;
use super::wire::{Links, PackageInfo};
use super::{Management, deployments, name};
use crate::error::Error;
use axum::body::Body;
use axum::extract::Request;
use proto::v1;
use serde_json::Value;
use std::time::Duration;
use tokio::fs::File;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::io::ReaderStream;

/// The contract's bound for one message.
const PIECE_BYTES: usize = 1 << 20;
/// Workers need seconds for a package; this is for a long queue.
const WAIT_MAX: Duration = Duration::from_secs(5 * 60);
/// The first and the longest time between two looks at what a worker does.
const LOOKS_EVERY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// `POST /apps/{app}/deployments/{deployment}/release`
pub(super) async fn release(
    management: &Management,
    services: &Services,
    (app, deployment): (&str, &str),
    request: Request<Body>,
) -> Result<Value, Refusal> {
    let app = name::app(services, app).await?;
    let channel = name::channel(services, &app.app_id, deployment).await?;
    // Whoever may not upload is told so before the bytes are taken.
    let may = v1::FindMissingBlobsRequest { parent: app.name.clone(), sha256: Vec::new() };
    services.uploads().find_missing_blobs(may).await?;
    let platform = deployments::platform_of(services, &channel).await?;
    let Ok(_room) = management.packages.try_acquire() else {
        return Err(Error::unavailable("the server takes in as many packages as it can: try again").into());
    };
    let (file, info) = package_form::read(request, management.context.bounds, platform).await?;
    let target = info.target().ok_or_else(|| Refusal::field("appVersion", "must be a range of binary versions"))?;
    let upload = upload(services, &app, proto::convert::platform_to_wire(platform), file).await?;
    let bundle = wait_ready(services, &upload).await?;
    let new = v1::Release { platform: upload.platform, bundle, target: Some(target), ..Default::default() };
    refuse_same(services, &channel.name, &new).await?;
    let made = publish(services, &channel, new, &info).await?;
    let packed = wait_packed(services, &channel, made).await?;
    Ok(told(services, &Links::new(&management.context.site), &packed).await?)
}

/// Sends the package as any client would; what the server has already is not stored again.
async fn upload(
    services: &Services,
    app: &v1::App,
    platform: v1::Platform,
    package: PackageFile,
) -> Result<v1::Upload, Refusal> {
    let request = v1::CreateUploadRequest {
        parent: app.name.clone(),
        platform: platform.into(),
        archive_format: package.format.into(),
        archive_size_bytes: package.size_bytes,
        archive_sha256: proto::convert::sha256_to_wire(&package.sha256),
        ..Default::default()
    };
    let upload = services.uploads().create_upload(request).await?.into_inner().upload.unwrap_or_default();
    if upload.state() != v1::UploadState::Receiving {
        return Ok(upload);
    }
    let chunks = chunks(upload.name.clone(), package.file, upload.received_bytes).await?;
    Ok(services.uploads().upload_chunks(chunks).await?.into_inner().upload.unwrap_or_default())
}

/// Cuts the rest of a file into messages. A file that ends too early leaves the upload unfinished, and nothing is released.
async fn chunks(
    name: String,
    mut file: File,
    offset: u64,
) -> Result<impl Stream<Item = v1::UploadChunksRequest> + Send + 'static, Error> {
    use tokio::io::AsyncSeekExt as _;
    let sought = file.seek(std::io::SeekFrom::Start(offset)).await;
    sought.map_err(|cause| Error::Broken { what: "a package cannot be read", cause: cause.into() })?;
    let first = v1::UploadChunksRequest { name, offset, data: bytes::Bytes::new() };
    let pieces = ReaderStream::with_capacity(file, PIECE_BYTES).map_while(Result::ok);
    let rest = pieces.map(|data| v1::UploadChunksRequest { data, ..Default::default() });
    Ok(tokio_stream::once(first).chain(rest))
}

async fn publish(
    services: &Services,
    channel: &v1::Channel,
    new: v1::Release,
    info: &PackageInfo,
) -> Result<v1::Release, Refusal> {
    let request = v1::CreateReleaseRequest {
        parent: channel.name.clone(),
        bundle: new.bundle,
        target: new.target,
        mandatory: info.is_mandatory.unwrap_or(false),
        notes: info.notes().unwrap_or_default(),
        share_ppm: info.share_ppm()?,
        disabled: info.is_disabled.unwrap_or(false),
        request_id: services.request_id(),
        ..Default::default()
    };
    Ok(services.releases().create_release(request).await?.into_inner().release.unwrap_or_default())
}

/// Waits until a worker has made a bundle of the upload, and returns the bundle's name.
async fn wait_ready(services: &Services, upload: &v1::Upload) -> Result<String, Refusal> {
    let look = || async move {
        let request = v1::GetUploadRequest { name: upload.name.clone() };
        let now = services.uploads().get_upload(request).await?.into_inner().upload.unwrap_or_default();
        match now.state() {
            v1::UploadState::Ready => Ok(Some(now.bundle)),
            v1::UploadState::Queued | v1::UploadState::Processing => Ok(None),
            v1::UploadState::Failed => {
                let why = now.failure.map(|failure| failure.message).unwrap_or_default();
                Err(Refusal::field("package", &why))
            }
            v1::UploadState::Unspecified | v1::UploadState::Receiving | v1::UploadState::Cancelled => {
                Err(Error::unavailable("the package did not arrive whole: try again").into())
            }
        }
    };
    let waited = Error::unavailable("the package is still being processed: release it again later");
    wait(look).await?.ok_or_else(|| waited.into())
}

/// Waits until the release can be had by CodePush's clients; one that nobody can have yet is told as it is.
async fn wait_packed(services: &Services, channel: &v1::Channel, made: v1::Release) -> Result<v1::Release, Refusal> {
    let id = &made.release_id;
    let look = || async move {
        let now = get(services, &channel.name, id).await?;
        Ok(now.codepush_package.is_some().then_some(now))
    };
    Ok(wait(look).await?.unwrap_or(made))
}

/// Looks until there is something to see; none when that took too long.
async fn wait<T, F>(mut look: impl FnMut() -> F) -> Result<Option<T>, Refusal>
where
    F: Future<Output = Result<Option<T>, Refusal>>,
{
    let (mut pause, longest) = LOOKS_EVERY;
    let waiting = async {
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    };
    tokio::time::timeout(WAIT_MAX, waiting).await.ok().transpose()
}
