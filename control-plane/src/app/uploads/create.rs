//! This file's job is to begin an upload, or to find the one with the same content.

use super::KnownFile;
use crate::app::{lookup, quotas, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::uploads::Upload;
use db::{Scope, Tx, UploadState};
use domain::bundle::{ArchiveFormat, BUNDLE_FILES_MAX, check_path};
use domain::id::{AppId, UploadId};
use domain::{ErrorKind, Platform, Sha256};
use proto::v1::{self, Reason};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewUpload {
    app: AppRef,
    platform: Platform,
    format: ArchiveFormat,
    size_bytes: u64,
    sha256: Sha256,
    known_files: Vec<KnownFile>,
    request_id: Option<String>,
}

impl NewUpload {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field; resource exhausted when the archive is too large.
    pub fn new(request: &v1::CreateUploadRequest, max_bytes: u64) -> Result<Self> {
        let size_bytes = request.archive_size_bytes;
        if size_bytes == 0 {
            return Err(Error::field("archive_size_bytes", "must not be 0"));
        }
        if size_bytes > max_bytes {
            let message = format!("the archive has {size_bytes} bytes, the server takes at most {max_bytes}");
            return Err(Error::refused(ErrorKind::ResourceExhausted, Reason::SizeLimit, message)
                .with("limit", max_bytes)
                .with("current", size_bytes));
        }
        Ok(Self {
            app: names::app("parent", &request.parent)?,
            platform: proto::convert::platform_from_wire(request.platform, "platform")?,
            format: archive_format(request.archive_format)?,
            size_bytes,
            sha256: proto::convert::sha256_from_wire(&request.archive_sha256, "archive_sha256")?,
            known_files: known_files(&request.known_files)?,
            request_id: (!request.request_id.is_empty()).then(|| request.request_id.clone()),
        })
    }

    /// Returns the known files as the row holds them.
    fn known_json(&self) -> Result<String> {
        let json = serde_json::to_string(&self.known_files);
        json.map_err(|cause| Error::Broken { what: "known files cannot be written", cause: cause.into() })
    }
}

fn archive_format(value: i32) -> Result<ArchiveFormat> {
    match v1::ArchiveFormat::try_from(value) {
        Ok(v1::ArchiveFormat::Zip) => Ok(ArchiveFormat::Zip),
        Ok(v1::ArchiveFormat::TarGzip) => Ok(ArchiveFormat::TarGzip),
        Ok(v1::ArchiveFormat::TarZstd) => Ok(ArchiveFormat::TarZstd),
        Ok(v1::ArchiveFormat::Unspecified) => Err(Error::field("archive_format", "must be set")),
        Err(_) => Err(Error::field("archive_format", "is not one of the known values")),
    }
}

fn known_files(files: &[v1::BundleFile]) -> Result<Vec<KnownFile>> {
    if files.len() > BUNDLE_FILES_MAX {
        return Err(Error::field("known_files", format!("must be at most {BUNDLE_FILES_MAX}")));
    }
    let mut known = Vec::with_capacity(files.len());
    for file in files {
        check_path(&file.path).map_err(Error::in_field("known_files.path"))?;
        let sha256 = proto::convert::sha256_from_wire(&file.sha256, "known_files.sha256")?;
        known.push(KnownFile { path: file.path.clone(), sha256, size_bytes: file.size_bytes });
    }
    known.sort_by(|a, b| a.path.cmp(&b.path));
    if known.windows(2).any(|pair| pair[0].path == pair[1].path) {
        return Err(Error::field("known_files", "must not name a path twice"));
    }
    Ok(known)
}

/// Begins the upload, or returns the unfinished or finished one with the same content.
///
/// # Errors
/// Invalid argument when the organization lacks a known file; resource exhausted when the plan does not allow it.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewUpload, keep: Duration) -> Result<Upload> {
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, &new.app)?;
    let same = find_same(tx, scope, &app.id, new)?;
    if let Some(same) = same.filter(|_| !runtime::failpoint::is_broken("upload.found-again")) {
        return Ok(same);
    }
    check_known(tx, change, new)?;
    quotas::admit_upload(tx, change, new.size_bytes)?;
    let upload = Upload {
        id: UploadId::from_parts(change.now, runtime::random::bytes()),
        app: app.id,
        platform: new.platform,
        state: UploadState::Receiving,
        stage: None,
        archive_format: new.format.to_string(),
        archive_sha256: new.sha256,
        archive_size_bytes: new.size_bytes,
        received_bytes: 0,
        parts: "[]".to_owned(),
        known_files: new.known_json()?,
        bundle: None,
        failure_reason: None,
        failure_message: None,
        warnings: Vec::new(),
        request_id: new.request_id.clone(),
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        updated_at: change.now,
        expires_at: change.now.plus(keep),
    };
    db::uploads::insert(tx, scope, &upload)?;
    let facts = [("platform", upload.platform.as_str()), ("archive_format", upload.archive_format.as_str())];
    record::done(tx, change, "CreateUpload", names::of_upload(&upload.app, &upload.id), &facts)?;
    Ok(upload)
}

fn find_same(tx: &mut Tx<'_>, scope: &Scope, app: &AppId, new: &NewUpload) -> Result<Option<Upload>> {
    let known = new.known_json()?;
    let found = db::uploads::find_active_same(tx, scope, app, new.platform, &new.sha256)?;
    Ok(found.filter(|upload| {
        let is_gone = upload.state == UploadState::Ready && upload.bundle.is_none();
        let is_same = upload.archive_size_bytes == new.size_bytes
            && upload.archive_format == new.format.as_str()
            && upload.known_files == known;
        is_same && !is_gone
    }))
}

/// Checks that the organization has the bytes of every file that will not be sent.
fn check_known(tx: &mut Tx<'_>, change: &Change, new: &NewUpload) -> Result<()> {
    let scope = &change.caller.scope;
    let hashes: BTreeSet<Sha256> = new.known_files.iter().map(|file| file.sha256).collect();
    let hashes: Vec<Sha256> = hashes.into_iter().collect();
    // They stay while the upload is under way.
    db::blobs::touch(tx, scope, &hashes, change.now)?;
    let stored = db::blobs::find_many(tx, scope, &hashes)?;
    let sizes: BTreeMap<Sha256, u64> = stored.into_iter().map(|blob| (blob.sha256, blob.size_bytes)).collect();
    match new.known_files.iter().find(|file| sizes.get(&file.sha256) != Some(&file.size_bytes)) {
        Some(file) => Err(Error::field("known_files", format!("{} is not stored with this hash and size", file.path))),
        None => Ok(()),
    }
}
