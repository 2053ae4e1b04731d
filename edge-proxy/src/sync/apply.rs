//! This file's job is to put a pushed snapshot to use, or to say why not and keep the one before.

use super::interest::{Found, Interests};
use crate::meters::Meters;
use crate::snapshot::Channel;
use crate::snapshot::channels::Channels;
use crate::snapshot::disk::Disk;
use crate::snapshot::interned::Interned;
use domain::Sha256;
use domain::snapshot::{ChannelKey, SnapshotVersion};
use parking_lot::Mutex;
use proto::convert;
use proto::v1;
use runtime::failpoint;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// The one place where snapshots change.
pub(crate) struct Applier {
    disk: Disk,
    interned: Interned,
    channels: Arc<Channels>,
    interests: Arc<Interests>,
    meters: Arc<Meters>,
    channels_max: usize,
    /// One change at a time, over compare, write and swap: a session that broke off may still be writing when the next one begins.
    /// True when there must be no more.
    gate: Mutex<bool>,
}

/// What the control plane is told.
pub(crate) struct Outcome {
    pub(crate) reply: v1::sync_request::Message,
    /// The snapshot, when it is new.
    pub(crate) applied: Option<Arc<Channel>>,
}

/// Why a snapshot is not put to use.
#[derive(Debug, Error)]
enum Refused {
    #[error("{0}")]
    Invalid(String),
    #[error("{0:?} is in use, which is not older")]
    Older(SnapshotVersion),
    #[error("the edge follows {0} channels already")]
    Full(usize),
    #[error("cannot write to disk: {0}")]
    Disk(#[source] io::Error),
    #[error("the edge is stopping")]
    Stopping,
}

/// What refusals are counted under.
pub(crate) const NACK_REASONS: [&str; 5] = ["invalid", "older", "full", "disk", "stopping"];

impl Refused {
    const fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => NACK_REASONS[0],
            Self::Older(_) => NACK_REASONS[1],
            Self::Full(_) => NACK_REASONS[2],
            Self::Disk(_) => NACK_REASONS[3],
            Self::Stopping => NACK_REASONS[4],
        }
    }
}

impl Applier {
    pub(crate) fn new(
        disk: Disk,
        channels: Arc<Channels>,
        interests: Arc<Interests>,
        meters: Arc<Meters>,
        channels_max: usize,
    ) -> Self {
        Self { disk, interned: Interned::default(), channels, interests, meters, channels_max, gate: Mutex::new(false) }
    }

    /// Puts everything from disk to use. Blocks.
    pub(crate) fn load(&self) {
        let found = self.disk.load(self.channels_max, &self.interned);
        self.meters.snapshot_files_bad.inc_by(found.bad as u64);
        self.channels.put(found.channels);
        self.note_count();
        tracing::info!(channels = self.channels.len(), bad = found.bad, "snapshots loaded from disk");
    }

    /// Checks, writes and swaps. Blocks.
    pub(crate) fn apply(&self, message: v1::SyncSnapshot) -> Outcome {
        match self.try_apply(&message) {
            Ok(applied) => {
                let ack = v1::SyncAck { key: message.key, version: message.version, digest: message.digest };
                Outcome { reply: v1::sync_request::Message::Ack(ack), applied }
            }
            Err(refused) => {
                self.meters.nacks.with_label_values(&[refused.name()]).inc();
                let reason = refused.to_string();
                tracing::error!(key = ?message.key, version = ?message.version, reason, "a snapshot was refused");
                let nack = v1::SyncNack { key: message.key, version: message.version, reason };
                Outcome { reply: v1::sync_request::Message::Nack(nack), applied: None }
            }
        }
    }

    fn try_apply(&self, message: &v1::SyncSnapshot) -> Result<Option<Arc<Channel>>, Refused> {
        let digest = Sha256::try_from(message.digest.as_ref());
        let digest = digest.map_err(|invalid| Refused::Invalid(format!("digest {}", invalid.rule)))?;
        let channel = Channel::compile(&message.encoded, digest, &self.interned).map_err(Refused::Invalid)?;
        let text = |invalid: convert::InvalidMessage| Refused::Invalid(invalid.to_string());
        let key = convert::channel_key_from_wire(message.key.clone()).map_err(text)?;
        let version = convert::version_from_wire(message.version).map_err(text)?;
        if channel.snapshot.key != key || channel.snapshot.version != version {
            return Err(Refused::Invalid("the snapshot is not the one that its envelope names".to_owned()));
        }
        let is_closed = self.gate.lock();
        if *is_closed {
            return Err(Refused::Stopping);
        }
        match self.channels.get(&key) {
            Some(old) if old.digest == digest => {
                self.resolve(&old);
                return Ok(None);
            }
            Some(old) if old.snapshot.version >= version && !failpoint::is_broken("edge.newer-only") => {
                return Err(Refused::Older(old.snapshot.version));
            }
            None if self.channels.len() >= self.channels_max => {
                return Err(Refused::Full(self.channels_max));
            }
            Some(_) | None => {}
        }
        self.disk.write(&key, &digest, &message.encoded).map_err(Refused::Disk)?;
        let channel = Arc::new(channel);
        self.channels.put([channel.clone()]);
        self.resolve(&channel);
        self.meters.snapshots_accepted.inc();
        self.note_count();
        Ok(Some(channel))
    }

    /// Forgets a channel that the control plane says is not there. Blocks.
    pub(crate) fn remove(&self, key: &ChannelKey) {
        let is_closed = self.gate.lock();
        if *is_closed {
            return;
        }
        if self.channels.get(key).is_some() {
            tracing::warn!(app = %key.app, channel = %key.channel, "the channel is gone");
            self.channels.remove(key);
        }
        // A folder may be there although no file in it could be used.
        if let Err(error) = self.disk.remove(key) {
            tracing::error!(app = %key.app, channel = %key.channel, %error, "cannot remove snapshots from disk");
        }
        self.interests.resolve(key, Found::Absent);
        self.note_count();
    }

    /// Lets nothing change any more. Blocks until a change that is being made is done.
    pub(crate) fn close(&self) {
        *self.gate.lock() = true;
    }

    /// Tells devices that waited for the channel, by its name or by one of its keys.
    fn resolve(&self, channel: &Channel) {
        self.interests.resolve(&channel.snapshot.key, Found::Present);
        for key in channel.snapshot.codepush.keys.keys() {
            self.interests.resolve_key(key, Found::Present);
        }
    }

    fn note_count(&self) {
        self.meters.snapshots.set(i64::try_from(self.channels.len()).unwrap_or(i64::MAX));
    }
}
