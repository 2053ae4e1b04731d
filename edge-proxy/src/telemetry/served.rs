//! This file's job is to know what a blob is downloaded for, so that its bytes can be counted.

use super::counts::{Count, Counts};
use crate::snapshot::channels::Channels;
use domain::Sha256;
use domain::bundle::FileRole;
use domain::release::Content;
use domain::snapshot::{ChannelSnapshot, OfferedBundle};
use domain::tally::{Measure, Product, TallyKey};
use std::sync::Arc;
use std::time::Duration;

/// Blobs that are remembered, of some 100 bytes each. Whatever is asked for less often is looked up again.
const BLOBS_MAX: u64 = 16_384;
/// A newer release may bring the same file, and then it is downloaded for that one.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The counts of blobs.
pub(crate) struct Served {
    counts: Arc<Counts>,
    known: moka::sync::Cache<Sha256, Option<Arc<Count>>>,
}

impl Served {
    pub(crate) fn new(counts: Arc<Counts>) -> Self {
        let known = moka::sync::Cache::builder().max_capacity(BLOBS_MAX).time_to_live(REMEMBERED).build();
        Self { counts, known }
    }

    /// Returns the count of what the blob is downloaded for; none when no release brings it any more.
    pub(crate) fn of(&self, channels: &Channels, sha256: &Sha256) -> Option<Arc<Count>> {
        let find = || {
            let channel = channels.get(channels.channel_of(sha256)?.as_ref())?;
            let (bundle, product) = purpose(&channel.snapshot, sha256)?;
            let (app, measure) = (channel.snapshot.key.app.clone(), Measure::Served(product));
            Some(self.counts.of(TallyKey { app, channel: None, release: None, bundle: Some(bundle), measure }))
        };
        self.known.get_with(*sha256, find)
    }
}

/// Returns the bundle that a blob is downloaded for, and as what. A file of several bundles is downloaded for the newest release: who has
/// an older one has the file.
fn purpose(snapshot: &ChannelSnapshot, sha256: &Sha256) -> Option<(Sha256, Product)> {
    if let Some(delta) = snapshot.deltas.iter().find(|delta| delta.blob.sha256 == *sha256) {
        return Some((delta.to, Product::Patch(delta.format.as_str().into())));
    }
    let offered = snapshot.releases.iter().filter_map(|release| match release.content {
        Content::Bundle(hash) => Some((hash, snapshot.bundles.get(&hash)?)),
        Content::Embedded => None,
    });
    let mut parts = offered.filter_map(|(hash, bundle)| Some((hash, part_of(bundle, sha256)?)));
    parts.next().or_else(|| {
        let codepush = &snapshot.codepush;
        let package = codepush.packages.iter().find(|(_, package)| package.blob.sha256 == *sha256);
        let diff = codepush.diffs.iter().find(|diff| diff.blob.sha256 == *sha256);
        let package = package.map(|(hash, _)| (*hash, Product::Package));
        package.or_else(|| diff.map(|diff| (diff.to, Product::PackageDiff)))
    })
}

fn part_of(bundle: &OfferedBundle, sha256: &Sha256) -> Option<Product> {
    let launch = bundle.files.iter().find(|file| file.role == FileRole::Launch).map(|file| file.sha256);
    if launch == Some(*sha256) {
        return Some(Product::Launch);
    }
    if let Some(variant) = bundle.variants.iter().find(|variant| variant.blob.sha256 == *sha256) {
        let is_launch = launch == Some(variant.of);
        return Some(if is_launch { Product::Encoded(variant.coding) } else { Product::Asset });
    }
    bundle.blobs.iter().any(|blob| blob.sha256 == *sha256).then_some(Product::Asset)
}
