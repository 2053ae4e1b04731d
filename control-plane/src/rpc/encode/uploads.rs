//! This file's job is to write uploads, and the bundles that they became, as the contract's resources.

use crate::app::bundles::View;
use crate::names;
use db::UploadState;
use db::bundles::Bundle;
use db::source_maps::SourceMap;
use db::uploads::Upload;
use domain::bundle::{ArchiveFormat, BundleFile, Stage};
use domain::codepush::Package;
use proto::{convert, v1};

/// Writes a bundle with these files; lists leave the files out.
pub fn bundle(row: &Bundle, files: &[BundleFile]) -> v1::Bundle {
    v1::Bundle {
        name: names::of_bundle(&row.app, &row.id),
        platform: convert::platform_to_wire(row.platform).into(),
        content_sha256: convert::sha256_to_wire(&row.content_hash),
        engine: convert::engine_to_wire(row.engine).into(),
        hermes_version: row.hermes_version.unwrap_or_default(),
        file_count: row.file_count,
        total_size_bytes: row.total_size_bytes,
        files: files.iter().map(convert::file_to_wire).collect(),
        created_at_us: row.created_at.as_us(),
        warnings: row.warnings.iter().map(convert::warning_to_wire).collect(),
        ..Default::default()
    }
}

/// Writes a bundle with everything that is known of it.
pub fn whole_bundle(view: &View) -> v1::Bundle {
    let contents = view.contents.as_ref().map(|known| v1::BundleContents {
        module_count: known.module_count,
        function_count: known.function_count.unwrap_or_default(),
        image_count: known.image_count,
    });
    v1::Bundle { contents, source_map: view.source_map.as_ref().map(source_map), ..bundle(&view.bundle, &view.files) }
}

/// Writes what is known of a source map.
pub fn source_map(row: &SourceMap) -> v1::BundleSourceMap {
    v1::BundleSourceMap {
        path: row.path.clone(),
        sha256: convert::sha256_to_wire(&row.sha256),
        size_bytes: row.size_bytes,
        created_at_us: row.created_at.as_us(),
    }
}

/// Writes an upload.
pub fn upload(row: &Upload) -> v1::Upload {
    let failure = row.failure_reason.as_ref().filter(|_| row.state == UploadState::Failed);
    v1::Upload {
        name: names::of_upload(&row.app, &row.id),
        platform: convert::platform_to_wire(row.platform).into(),
        state: upload_state(row.state).into(),
        archive_format: archive_format(&row.archive_format).into(),
        archive_size_bytes: row.archive_size_bytes,
        archive_sha256: convert::sha256_to_wire(&row.archive_sha256),
        received_bytes: row.received_bytes,
        bundle: row.bundle.as_ref().map(|bundle| names::of_bundle(&row.app, bundle)).unwrap_or_default(),
        failure: failure.map(|reason| v1::UploadFailure {
            reason: reason.clone(),
            message: row.failure_message.clone().unwrap_or_default(),
        }),
        created_at_us: row.created_at.as_us(),
        updated_at_us: row.updated_at.as_us(),
        stage: upload_stage(row.stage).into(),
        warnings: row.warnings.iter().map(convert::warning_to_wire).collect(),
    }
}

const fn upload_stage(stage: Option<Stage>) -> v1::UploadStage {
    match stage {
        None => v1::UploadStage::Unspecified,
        Some(Stage::Received) => v1::UploadStage::Received,
        Some(Stage::Verified) => v1::UploadStage::Verified,
        Some(Stage::Unpacked) => v1::UploadStage::Unpacked,
        Some(Stage::Parsed) => v1::UploadStage::Parsed,
        Some(Stage::Stored) => v1::UploadStage::Stored,
        Some(Stage::Ready) => v1::UploadStage::Ready,
    }
}

const fn upload_state(state: UploadState) -> v1::UploadState {
    match state {
        UploadState::Receiving => v1::UploadState::Receiving,
        UploadState::Queued => v1::UploadState::Queued,
        UploadState::Processing => v1::UploadState::Processing,
        UploadState::Ready => v1::UploadState::Ready,
        UploadState::Failed => v1::UploadState::Failed,
        UploadState::Cancelled => v1::UploadState::Cancelled,
    }
}

fn archive_format(text: &str) -> v1::ArchiveFormat {
    match text.parse() {
        Ok(ArchiveFormat::Zip) => v1::ArchiveFormat::Zip,
        Ok(ArchiveFormat::TarGzip) => v1::ArchiveFormat::TarGzip,
        Ok(ArchiveFormat::TarZstd) => v1::ArchiveFormat::TarZstd,
        Err(_) => v1::ArchiveFormat::Unspecified,
    }
}

/// Writes what CodePush's clients get of a bundle.
pub fn package(package: &Package) -> v1::CodePushPackage {
    v1::CodePushPackage {
        hash: convert::sha256_to_wire(&package.hash),
        sha256: convert::sha256_to_wire(&package.blob.sha256),
        size_bytes: package.blob.size_bytes,
    }
}
