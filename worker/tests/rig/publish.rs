//! This file's job is to give a test bundles that were processed, and releases of them.

use super::{Rig, pack};
use db::bundles::Bundle;
use db::channels::Channel;
use db::releases::Release;
use db::{ReleaseOrigin, TargetKind};
use domain::id::{ChannelId, ReleaseId};
use domain::release::{Retreat, RolloutState};
use domain::{Ppm, Timestamp};
use std::collections::HashSet;

impl Rig {
    /// Uploads a folder of the corpus, or any other, and returns what a running worker makes of it.
    pub async fn process(&self, folder: &str) -> Bundle {
        let id = self.upload(&pack(folder, &HashSet::new())).await;
        let (scope, bundle) = (self.scope.clone(), self.processed(&id).await.bundle.unwrap());
        self.db.read(move |conn| db::bundles::get(conn, &scope, &bundle)).await.unwrap()
    }

    /// Adds the channel `production`.
    pub async fn add_channel(&self) -> ChannelId {
        let now = self.clock.now();
        let id = ChannelId::from_parts(now, [3; 10]);
        let row = Channel::new(id.clone(), self.app.clone(), "production".parse().unwrap(), now);
        let scope = self.scope.clone();
        self.db.write(move |tx| db::channels::insert(tx, &scope, &row)).await.unwrap();
        id
    }

    /// Releases a bundle for everybody; no job is queued.
    pub async fn release(&self, channel: &ChannelId, bundle: &Bundle) -> ReleaseId {
        let row = release_of(bundle, channel, self.clock.now());
        let scope = self.scope.clone();
        self.db.write(move |tx| db::releases::insert(tx, &scope, &row)).await.unwrap().id
    }
}

/// A release of the bundle for everybody.
pub fn release_of(bundle: &Bundle, channel: &ChannelId, now: Timestamp) -> Release {
    Release {
        id: ReleaseId::from_parts(now, runtime::random::bytes()),
        app: bundle.app.clone(),
        channel: channel.clone(),
        seq: 0,
        platform: bundle.platform,
        bundle: Some(bundle.id.clone()),
        target_kind: TargetKind::BinaryRange,
        target_value: "1.x".into(),
        warnings: Vec::new(),
        mandatory: false,
        enabled: true,
        notes: String::new(),
        rollout_state: RolloutState::Active,
        rollout_ppm: Ppm::ALL,
        rollout_salt: "salt".into(),
        rollout_retreat: Retreat::Stay,
        origin: ReleaseOrigin::Publish,
        origin_release: None,
        revision: 1,
        created_by: "test".into(),
        created_at: now,
        updated_at: now,
    }
}
