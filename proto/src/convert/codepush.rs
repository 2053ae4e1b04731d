//! This file's job is to convert what a snapshot has for the clients of CodePush.

use super::{
    InField as _, InvalidMessage, blob_from_wire, blob_to_wire, platform_from_wire, platform_to_wire, sha256_from_wire,
    sha256_to_wire,
};
use crate::v1;
use domain::Sha256;
use domain::codepush::{CodePush, DEPLOYMENT_KEYS_MAX, DIFFS_PER_BUNDLE_MAX, Package, PackageDiff};
use domain::snapshot::RELEASES_MAX;
use std::sync::Arc;

/// Writes everything about CodePush; unset when there is nothing.
pub(super) fn codepush_to_wire(codepush: &CodePush) -> Option<v1::SnapshotCodePush> {
    let CodePush { keys, packages, diffs } = codepush;
    if keys.is_empty() && packages.is_empty() && diffs.is_empty() {
        return None;
    }
    let key = |(key, platform): (&domain::codepush::DeploymentKey, &domain::Platform)| v1::SnapshotDeploymentKey {
        key: key.to_string(),
        platform: platform_to_wire(*platform).into(),
    };
    Some(v1::SnapshotCodePush {
        keys: keys.iter().map(key).collect(),
        packages: packages.iter().map(package_to_wire).collect(),
        diffs: diffs.iter().map(diff_to_wire).collect(),
    })
}

/// Reads everything about CodePush and checks every bound.
pub(super) fn codepush_from_wire(wire: Option<v1::SnapshotCodePush>) -> Result<CodePush, InvalidMessage> {
    let Some(wire) = wire else { return Ok(CodePush::default()) };
    for (count, max, field) in [
        (wire.keys.len(), DEPLOYMENT_KEYS_MAX, "codepush.keys"),
        (wire.packages.len(), RELEASES_MAX, "codepush.packages"),
        (wire.diffs.len(), RELEASES_MAX * DIFFS_PER_BUNDLE_MAX, "codepush.diffs"),
    ] {
        if count > max {
            return Err(InvalidMessage::new(field, format!("must be at most {max}")));
        }
    }
    let key = |key: v1::SnapshotDeploymentKey| {
        Ok((key.key.parse().in_field("codepush.key")?, platform_from_wire(key.platform, "codepush.platform")?))
    };
    Ok(CodePush {
        keys: wire.keys.into_iter().map(key).collect::<Result<_, _>>()?,
        packages: wire.packages.into_iter().map(package_from_wire).collect::<Result<_, _>>()?,
        diffs: wire.diffs.into_iter().map(diff_from_wire).collect::<Result<_, _>>()?,
    })
}

fn package_to_wire((bundle, package): (&Sha256, &Package)) -> v1::SnapshotPackage {
    v1::SnapshotPackage {
        bundle_sha256: sha256_to_wire(bundle),
        package_sha256: sha256_to_wire(&package.hash),
        blob: Some(blob_to_wire(&package.blob)),
    }
}

fn package_from_wire(package: v1::SnapshotPackage) -> Result<(Sha256, Package), InvalidMessage> {
    let bundle = sha256_from_wire(&package.bundle_sha256, "bundle_sha256")?;
    let hash = sha256_from_wire(&package.package_sha256, "package_sha256")?;
    Ok((bundle, Package { hash, blob: blob(package.blob)? }))
}

fn diff_to_wire(diff: &PackageDiff) -> v1::SnapshotPackageDiff {
    v1::SnapshotPackageDiff {
        from_package_sha256: sha256_to_wire(&diff.from),
        to_bundle_sha256: sha256_to_wire(&diff.to),
        blob: Some(blob_to_wire(&diff.blob)),
    }
}

fn diff_from_wire(diff: v1::SnapshotPackageDiff) -> Result<PackageDiff, InvalidMessage> {
    Ok(PackageDiff {
        from: sha256_from_wire(&diff.from_package_sha256, "from_package_sha256")?,
        to: sha256_from_wire(&diff.to_bundle_sha256, "to_bundle_sha256")?,
        blob: blob(diff.blob)?,
    })
}

fn blob(blob: Option<v1::Blob>) -> Result<Arc<domain::bundle::Blob>, InvalidMessage> {
    blob_from_wire(&blob.ok_or_else(|| InvalidMessage::new("blob", "must be set"))?).map(Arc::new)
}
