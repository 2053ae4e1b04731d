//! This file's job is to convert files and blobs.

use super::{
    InField as _, InvalidMessage, file_role_from_wire, file_role_to_wire, sha256_from_wire, sha256_to_wire,
    warning_kind_to_wire,
};
use crate::v1;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::{Blob, BundleFile, check_path};
use domain::warning::Warning;

/// Writes a file.
#[must_use]
pub fn file_to_wire(file: &BundleFile) -> v1::BundleFile {
    v1::BundleFile {
        path: file.path.clone(),
        sha256: sha256_to_wire(&file.sha256),
        size_bytes: file.size_bytes,
        role: file_role_to_wire(file.role).into(),
    }
}

/// Reads a file and checks its path.
///
/// # Errors
/// The first field that breaks a rule.
pub fn file_from_wire(file: v1::BundleFile) -> Result<BundleFile, InvalidMessage> {
    check_path(&file.path).in_field("path")?;
    Ok(BundleFile {
        sha256: sha256_from_wire(&file.sha256, "sha256")?,
        role: file_role_from_wire(file.role, "role")?,
        path: file.path,
        size_bytes: file.size_bytes,
    })
}

/// Writes a blob's description.
#[must_use]
pub fn blob_to_wire(blob: &Blob) -> v1::Blob {
    let chunks: Vec<u8> = blob.chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect();
    v1::Blob { sha256: sha256_to_wire(&blob.sha256), size_bytes: blob.size_bytes, chunks: Bytes::from(chunks) }
}

/// Reads a blob's description and checks that the number of chunk hashes fits the size.
///
/// # Errors
/// The first field that breaks a rule.
pub fn blob_from_wire(blob: &v1::Blob) -> Result<Blob, InvalidMessage> {
    if !blob.chunks.len().is_multiple_of(32) {
        return Err(InvalidMessage::new("chunks", "must be hashes of 32 bytes"));
    }
    let chunks: Result<Vec<Sha256>, _> =
        blob.chunks.chunks(32).map(|chunk| sha256_from_wire(chunk, "chunks")).collect();
    let blob = Blob { sha256: sha256_from_wire(&blob.sha256, "sha256")?, size_bytes: blob.size_bytes, chunks: chunks? };
    if blob.is_consistent() {
        Ok(blob)
    } else {
        Err(InvalidMessage::new("chunks", "must be one hash for each started MiB"))
    }
}

/// Writes a warning.
#[must_use]
pub fn warning_to_wire(warning: &Warning) -> v1::BundleWarning {
    v1::BundleWarning { kind: warning_kind_to_wire(warning.kind).into(), message: warning.message.clone() }
}
