//! This file's job is to write a release with all that is known of it.

use super::{build, listed_release};
use crate::app::releases::{Activity, Details, Patch, Reach};
use crate::error::Result;
use crate::names;
use domain::tally::{Amount, Product};
use domain::telemetry::EventKind;
use proto::v1;

/// Writes a release with all that is known of it.
pub fn release_details(details: Details) -> Result<v1::GetReleaseResponse> {
    let Details { view, downloads, reach, activity, served } = details;
    let delta = |patch: &Patch| v1::ReleaseDelta {
        from_bundle: names::of_bundle(&view.release.app, &patch.from),
        from_label: patch.from_seq.map(|seq| format!("v{seq}")).unwrap_or_default(),
        format: patch.format.clone(),
        size_bytes: patch.size_bytes,
        launch_size_bytes: downloads.launch_size_bytes,
    };
    let served_product = |(product, amount): &(Product, Amount)| v1::ServedProduct {
        product: product.to_string(),
        downloads: amount.times,
        bytes: amount.bytes,
        full_bytes: match product.makes_launch_file() {
            true => amount.times.saturating_mul(downloads.launch_size_bytes),
            false => 0,
        },
    };
    Ok(v1::GetReleaseResponse {
        release: Some(listed_release(&view, &served)?),
        full_size_bytes: downloads.full_size_bytes,
        deltas: downloads.patches.iter().map(delta).collect(),
        build: downloads.build.as_ref().map(build),
        reach: Some(release_reach(reach)),
        activity: Some(release_activity(&activity)),
        served: served.iter().map(served_product).collect(),
    })
}

/// Writes what devices did with a release.
pub(super) fn release_activity(activity: &Activity) -> v1::ReleaseActivity {
    v1::ReleaseActivity {
        offered: activity.offered(),
        downloaded: activity.events(EventKind::Downloaded),
        installed: activity.events(EventKind::Installed),
        launched: activity.events(EventKind::Launched),
        crashed: activity.events(EventKind::Crashed),
        rolled_back: activity.events(EventKind::RolledBack),
        failed: activity.events(EventKind::Failed),
    }
}

fn release_reach(reach: Reach) -> v1::ReleaseReach {
    let count = |edges: usize| u32::try_from(edges).unwrap_or(u32::MAX);
    v1::ReleaseReach {
        edges: count(reach.edges),
        live: count(reach.live),
        ready: count(reach.ready),
        refused: count(reach.refused),
        away: count(reach.away),
        refusals: reach.refusals.into_iter().collect(),
    }
}
