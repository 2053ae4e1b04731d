//! This file's job is to turn encoded snapshots into something that answers can be made from.

pub(crate) mod channels;
mod described;
pub(crate) mod disk;
pub(crate) mod interned;
mod parted;
pub(crate) mod told;

use crate::admission::AppAllowance;
use crate::blobs::coding::{Coded, Coding, Forms};
use crate::devices::token::{Claim, TokenKeys};
use crate::protocols::expo::frozen::Frames;
use crate::refusal::Refusal;
use domain::Sha256;
use domain::bundle::{Blob, FileRole};
use domain::snapshot::{ChannelSnapshot, Delta, OfferedBundle, offerable};
use interned::Interned;
use litemap::LiteMap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use told::Told;

/// Room for a snapshot with several bundles of thousands of files; larger ones are refused.
pub(crate) const ENCODED_MAX_BYTES: usize = 32 << 20;
/// Far above any bundle; keeps a lying description from reserving a whole disk.
const BLOB_MAX_BYTES: u64 = 4 << 30;
/// A patch that saves less than a quarter of the smallest form of the whole file is not worth a second thing to fall back from.
const DELTA_MAX_PERCENT: u64 = 75;

/// A snapshot in use.
pub(crate) struct Channel {
    pub(crate) snapshot: ChannelSnapshot,
    /// Differs between any two snapshots, so it stands for (channel, version) in the cache of answers.
    pub(crate) digest: Sha256,
    pub(crate) keys: Arc<TokenKeys>,
    /// Files, and what can be sent in their place.
    pub(crate) forms: Vec<(Sha256, Arc<Forms>)>,
    /// What the devices of the app may ask for; set when the channel is put to use.
    pub(crate) allowance: OnceLock<Arc<AppAllowance>>,
    /// The places of patches, by what they lead from and to.
    deltas: LiteMap<(Sha256, Sha256), Vec<usize>>,
    /// What Expo clients are told of releases, framed.
    pub(crate) expo: Frames,
    pub(crate) told: Told,
}

impl Channel {
    /// Decodes, checks and prepares a snapshot. The error says which rule it breaks.
    pub(crate) fn compile(encoded: &[u8], digest: Sha256, interned: &Interned) -> Result<Self, String> {
        if encoded.len() > ENCODED_MAX_BYTES {
            return Err(format!("the snapshot has more than {ENCODED_MAX_BYTES} bytes"));
        }
        if Sha256::of(encoded) != digest {
            return Err("the digest is not that of the bytes".to_owned());
        }
        let mut snapshot = proto::convert::decode_snapshot(encoded).map_err(|invalid| invalid.to_string())?;
        check(&snapshot)?;
        interned.share_ranges(&mut snapshot.releases);
        let mut deltas: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, delta) in snapshot.deltas.iter().enumerate() {
            if snapshot.bundles.get(&delta.to).is_some_and(|bundle| is_worth(delta, bundle)) {
                deltas.entry((delta.from, delta.to)).or_default().push(index);
            }
        }
        let deltas = deltas.into_iter().collect();
        let (keys, forms) = (interned.keys(&snapshot.token_keys), list_forms(&snapshot));
        let expo = Frames::new(&snapshot.expo, &snapshot.releases);
        let (allowance, told) = (OnceLock::new(), Told::default());
        Ok(Self { expo, keys, forms, allowance, told, digest, deltas, snapshot })
    }

    /// Lists every blob that a device may ask for, and whether the edge must keep it at hand.
    pub(crate) fn blobs(&self) -> Vec<(Arc<Blob>, bool)> {
        list_blobs(&self.snapshot)
    }

    /// Lets a device in whose token is good and which is not revoked.
    pub(crate) fn authenticate(&self, claim: &Claim<'_>) -> Result<(), Refusal> {
        if self.keys.verify(claim) { self.check_revoked(claim.device) } else { Err(Refusal::unauthenticated()) }
    }

    /// Refuses a device that is revoked.
    pub(crate) fn check_revoked(&self, device: &str) -> Result<(), Refusal> {
        if self.snapshot.revoked_devices.contains(device) { Err(Refusal::revoked()) } else { Ok(()) }
    }

    /// Returns the smallest patch between the two bundles in a format that the device takes: its index and itself.
    pub(crate) fn find_delta(&self, from: Sha256, to: Sha256, takes: impl Fn(&str) -> bool) -> Option<(usize, &Delta)> {
        let indexes = self.deltas.get(&(from, to))?;
        let candidates = indexes.iter().map(|&index| (index, &self.snapshot.deltas[index]));
        candidates.filter(|(_, delta)| takes(delta.format.as_str())).min_by_key(|(_, delta)| delta.blob.size_bytes)
    }
}

/// Checks what the conversion leaves open.
fn check(snapshot: &ChannelSnapshot) -> Result<(), String> {
    let bundles = || snapshot.bundles.values();
    let files = bundles().flat_map(|bundle| &bundle.blobs);
    let variants = bundles().flat_map(|bundle| &bundle.variants).map(|variant| &variant.blob);
    let packages = snapshot.codepush.packages.values().map(|package| &package.blob);
    let packed = packages.chain(snapshot.codepush.diffs.iter().map(|diff| &diff.blob));
    let patches = snapshot.deltas.iter().map(|delta| &delta.blob);
    for blob in files.chain(variants).chain(patches).chain(packed) {
        if blob.size_bytes > BLOB_MAX_BYTES {
            return Err(format!("blob {} has more than {BLOB_MAX_BYTES} bytes", blob.sha256));
        }
        if blob.chunks.len() == 1 && blob.chunks[0] != blob.sha256 {
            return Err(format!("blob {} has one chunk with another hash", blob.sha256));
        }
    }
    let mut ids = BTreeSet::new();
    for release in &snapshot.releases {
        if !ids.insert(&release.id) {
            return Err(format!("release {} is there twice", release.id));
        }
    }
    if snapshot.token_keys.is_empty() {
        return Err("there is no key for device tokens".to_owned());
    }
    if !snapshot.token_keys.is_sorted_by(|newer, older| newer.generation > older.generation) {
        return Err("the keys for device tokens are not sorted, newest first".to_owned());
    }
    Ok(())
}

/// Lists all blobs. Those of current, candidate and previous releases are pinned; patches, compressed forms and what only single devices
/// get are not.
fn list_blobs(snapshot: &ChannelSnapshot) -> Vec<(Arc<Blob>, bool)> {
    let pinned = offerable(&snapshot.releases, []);
    let mut listed: HashMap<Sha256, (Arc<Blob>, bool)> = HashMap::new();
    for (content, bundle) in &snapshot.bundles {
        let pin = pinned.contains(content);
        for blob in &bundle.blobs {
            listed.entry(blob.sha256).or_insert_with(|| (blob.clone(), pin)).1 |= pin;
        }
    }
    let variants = snapshot.bundles.values().flat_map(|bundle| &bundle.variants).map(|variant| &variant.blob);
    for blob in snapshot.deltas.iter().map(|delta| &delta.blob).chain(variants) {
        listed.entry(blob.sha256).or_insert_with(|| (blob.clone(), false));
    }
    for (content, package) in &snapshot.codepush.packages {
        let pin = pinned.contains(content);
        listed.entry(package.blob.sha256).or_insert_with(|| (package.blob.clone(), pin)).1 |= pin;
    }
    for diff in &snapshot.codepush.diffs {
        listed.entry(diff.blob.sha256).or_insert_with(|| (diff.blob.clone(), false));
    }
    listed.into_values().collect()
}

/// Says whether the patch is small enough, compared with what a device that has nothing downloads.
fn is_worth(delta: &Delta, bundle: &OfferedBundle) -> bool {
    let Some(launch) = bundle.files.iter().find(|file| file.role == FileRole::Launch) else { return false };
    let smallest = bundle.smallest_variant(&launch.sha256, |_| true);
    let full_bytes = smallest.map_or(launch.size_bytes, |variant| variant.blob.size_bytes);
    delta.blob.size_bytes.saturating_mul(100) <= full_bytes.saturating_mul(DELTA_MAX_PERCENT)
}

fn list_forms(snapshot: &ChannelSnapshot) -> Vec<(Sha256, Arc<Forms>)> {
    let mut listed = Vec::new();
    for (content, bundle) in &snapshot.bundles {
        let mut forms: HashMap<Sha256, Forms> = HashMap::new();
        for variant in &bundle.variants {
            let (coding, blob) = (Coding::Alone(variant.coding), variant.blob.clone());
            forms.entry(variant.of).or_default().coded.push(Arc::new(Coded { coding, base: None, blob }));
        }
        if let Some(launch) = bundle.files.iter().find(|file| file.role == FileRole::Launch) {
            let forms = forms.entry(launch.sha256).or_default();
            let leading = snapshot.deltas.iter().filter(|delta| delta.to == *content && is_worth(delta, bundle));
            forms.coded.extend(leading.filter_map(patch_form));
            forms.is_launch = true;
        }
        listed.extend(forms.into_iter().map(|(file, forms)| (file, Arc::new(forms))));
    }
    listed.shrink_to_fit();
    listed
}

fn patch_form(delta: &Delta) -> Option<Arc<Coded>> {
    let coding = Coding::of_format(&delta.format)?;
    Some(Arc::new(Coded { coding, base: Some(delta.base), blob: delta.blob.clone() }))
}
