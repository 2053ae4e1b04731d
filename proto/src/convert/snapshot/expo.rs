//! This file's job is to convert what Expo clients are told of releases.

use super::super::InField as _;
use super::{InvalidMessage, at_most, sha256_from_wire, sha256_to_wire};
use crate::v1;
use domain::expo::{
    BODY_MAX_BYTES, CERTIFICATE_CHAIN_MAX_BYTES, EMBEDDED_MAX, ExpoChannel, ExpoUpdate, SIGNATURE_MAX_BYTES,
};
use domain::id::ReleaseId;
use domain::snapshot::RELEASES_MAX;

/// Writes the updates.
pub(super) fn expo_updates_to_wire(expo: &ExpoChannel) -> Vec<v1::SnapshotExpoUpdate> {
    let update = |(release, update): (&ReleaseId, &ExpoUpdate)| v1::SnapshotExpoUpdate {
        release_id: release.to_string(),
        committed_at_ms: update.committed_at_ms,
        body: update.body.clone(),
        signature: update.signature.clone(),
        certificate_chain: update.certificate_chain.clone(),
    };
    expo.updates.iter().map(update).collect()
}

/// Writes what came with binaries.
pub(super) fn expo_embedded_to_wire(expo: &ExpoChannel) -> Vec<v1::SnapshotExpoEmbedded> {
    let embedded = expo.embedded.iter();
    embedded
        .map(|(update, bundle)| v1::SnapshotExpoEmbedded {
            update_id: update.to_string(),
            bundle_sha256: sha256_to_wire(bundle),
        })
        .collect()
}

/// Reads both, within their bounds. What goes into headers has no line breaks.
pub(super) fn expo_from_wire(
    updates: Vec<v1::SnapshotExpoUpdate>,
    embedded: Vec<v1::SnapshotExpoEmbedded>,
) -> Result<ExpoChannel, InvalidMessage> {
    at_most(updates.len(), RELEASES_MAX, "expo_updates")?;
    at_most(embedded.len(), EMBEDDED_MAX, "expo_embedded")?;
    let embedded = embedded.into_iter().map(|one| {
        let update = one.update_id.parse().in_field("update_id")?;
        Ok((update, sha256_from_wire(&one.bundle_sha256, "bundle_sha256")?))
    });
    Ok(ExpoChannel {
        updates: updates.into_iter().map(update_from_wire).collect::<Result<_, _>>()?,
        embedded: embedded.collect::<Result<_, InvalidMessage>>()?,
        ..ExpoChannel::default()
    })
}

fn update_from_wire(update: v1::SnapshotExpoUpdate) -> Result<(ReleaseId, ExpoUpdate), InvalidMessage> {
    at_most(update.body.len(), BODY_MAX_BYTES, "body")?;
    at_most(update.signature.len(), SIGNATURE_MAX_BYTES, "signature")?;
    at_most(update.certificate_chain.len(), CERTIFICATE_CHAIN_MAX_BYTES, "certificate_chain")?;
    let is_header = update.signature.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !is_header {
        return Err(InvalidMessage::new("signature", "must be visible ASCII characters"));
    }
    Ok((
        update.release_id.parse().in_field("release_id")?,
        ExpoUpdate {
            committed_at_ms: update.committed_at_ms,
            body: update.body,
            signature: update.signature,
            certificate_chain: update.certificate_chain,
        },
    ))
}
