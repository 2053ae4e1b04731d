//! This file's job is to read the form with which CodePush's clients release: a package, and what there is to say of it.

use super::refusal::Refusal;
use super::single_file::SingleFile;
use super::wire::PackageInfo;
use crate::context::Bounds;
use crate::error::Error;
use axum::body::Body;
use axum::extract::Request;
use domain::bundle::ArchiveFormat;
use domain::hash::Hasher;
use domain::{Platform, Sha256};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Field, Multipart, SizeLimit};
use proto::v1;
use std::io::SeekFrom;
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// What is said of a release: its notes, 16 KiB at most, and some short fields.
const INFO_MAX_BYTES: u64 = 64 << 10;
/// Room for the form's own lines around its two fields.
const FORM_EXTRA_BYTES: u64 = INFO_MAX_BYTES + (64 << 10);
/// What a file is called that the sender gives no name.
const NAMELESS: &str = "package";
/// So much of a package is enough to know its format.
const START_BYTES: usize = 512;

/// A package, on this machine's disk until it is dropped.
pub(super) struct PackageFile {
    pub(super) file: File,
    pub(super) size_bytes: u64,
    pub(super) sha256: Sha256,
    pub(super) format: v1::ArchiveFormat,
}

/// Reads the form, in the time that there is for all of it: whoever trickles holds one of few places.
pub(super) async fn read(
    request: Request<Body>,
    bounds: Bounds,
    platform: Platform,
) -> Result<(PackageFile, PackageInfo), Refusal> {
    let read = timeout(bounds.package_max, read_fields(request, bounds.upload_max_bytes, platform));
    read.await.unwrap_or_else(|_| {
        Err(Refusal::Text(StatusCode::REQUEST_TIMEOUT, "The package did not arrive in time.".to_owned()))
    })
}

/// The package comes first and is written to disk while it comes, in constant memory.
async fn read_fields(
    request: Request<Body>,
    max_bytes: u64,
    platform: Platform,
) -> Result<(PackageFile, PackageInfo), Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(refused)?;
    let sizes = SizeLimit::new()
        .whole_stream(max_bytes + FORM_EXTRA_BYTES)
        .for_field("package", max_bytes)
        .for_field("packageInfo", INFO_MAX_BYTES);
    let constraints = Constraints::new().allowed_fields(vec!["package", "packageInfo"]).size_limit(sizes);
    let mut form = Multipart::with_constraints(request.into_body().into_data_stream(), boundary, constraints);
    let (mut package, mut info) = (None, None);
    while let Some(field) = form.next_field().await.map_err(refused)? {
        match field.name() {
            Some("package") if package.is_none() => package = Some(keep(field, platform).await?),
            Some("packageInfo") if info.is_none() => {
                let text = field.text().await.map_err(refused)?;
                let read = serde_json::from_str::<PackageInfo>(&text);
                info = Some(read.map_err(|_| {
                    Refusal::field("packageInfo", "must be a JSON object as CodePush's clients send it")
                })?);
            }
            _ => return Err(Refusal::field("packageInfo", "the form must have each field once")),
        }
    }
    let package = package.ok_or_else(|| Refusal::field("package", "must be a file in the form"))?;
    let info = info.ok_or_else(|| Refusal::field("packageInfo", "must be a field of the form"))?;
    Ok((package, info))
}

/// Writes a field to disk.
async fn keep(mut field: Field<'_>, platform: Platform) -> Result<PackageFile, Refusal> {
    let disk =
        |cause: std::io::Error| Error::Broken { what: "a package cannot be kept on this disk", cause: cause.into() };
    let named = NamedTempFile::new().map_err(disk)?;
    let mut file = File::from_std(named.reopen().map_err(disk)?);
    let (mut hasher, mut size_bytes, mut start) = (Hasher::default(), 0, Vec::new());
    while let Some(piece) = field.chunk().await.map_err(refused)? {
        let missing = START_BYTES.saturating_sub(start.len()).min(piece.len());
        start.extend_from_slice(&piece[..missing]);
        hasher.update(&piece);
        size_bytes += piece.len() as u64;
        file.write_all(&piece).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    file.seek(SeekFrom::Start(0)).await.map_err(disk)?;
    let sha256 = hasher.finish();
    let Some(format) = bundle::sniff(&start) else {
        let name = field.file_name().and_then(|name| name.rsplit('/').next()).unwrap_or(NAMELESS).to_owned();
        return SingleFile { file: named, name, size_bytes, sha256 }.pack(platform).await;
    };
    Ok(PackageFile { file, size_bytes, sha256, format: format_to_wire(format) })
}

const fn format_to_wire(format: ArchiveFormat) -> v1::ArchiveFormat {
    match format {
        ArchiveFormat::Zip => v1::ArchiveFormat::Zip,
        ArchiveFormat::TarGzip => v1::ArchiveFormat::TarGzip,
        ArchiveFormat::TarZstd => v1::ArchiveFormat::TarZstd,
    }
}

fn refused(error: multer::Error) -> Refusal {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Refusal::Text(StatusCode::PAYLOAD_TOO_LARGE, "The package is too large.".to_owned())
        }
        other => Refusal::field("package", &format!("the form cannot be read: {other}")),
    }
}
