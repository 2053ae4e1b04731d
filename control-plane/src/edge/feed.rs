//! This file's job is to keep the hub's snapshots equal to the database, woken by signals and guaranteed by a poll.

use super::hub::{Encoded, Hub, State};
use crate::context::Context;
use crate::error::{Result, chain};
use domain::snapshot::{ChannelKey, SnapshotVersion};
use runtime::health::{Component, State as HealthState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// Brings the hub up to date whenever something may have changed, until the stop.
pub async fn run(context: Context, hub: Arc<Hub>, poll: Duration, health: Component) {
    let mut changes = context.db.wakeups().changes();
    let mut ticks = tokio::time::interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.stop.stopped() => return,
            () = changes.wait() => {}
            () = hub.wanted.notified() => {}
            _ = ticks.tick() => {}
        }
        match refresh(&context, &hub).await {
            Ok(()) => health.set(HealthState::Ready, "edges are up to date"),
            Err(error) => {
                health.set(HealthState::Degraded, "the database does not answer");
                tracing::warn!(cause = chain(&error), "channels could not be read; edges keep what they have");
                // The signal that came is not lost: the next tick looks again.
            }
        }
    }
}

/// Compares the versions of all followed channels with the database and reads those that differ.
async fn refresh(context: &Context, hub: &Hub) -> Result<()> {
    let followed = hub.followed();
    let keys: Vec<ChannelKey> = followed.iter().map(|(key, _)| key.clone()).collect();
    let versions = context.read(move |conn| Ok(db::snapshots::versions(conn, &keys)?)).await?;
    for (key, state) in stale(followed, &versions) {
        match state {
            None => hub.publish(&key, State::Absent),
            Some(_) => read(context, hub, &key).await,
        }
    }
    Ok(())
}

/// Returns the channels whose held state is not the present one, each with its present version, none when it is absent.
fn stale(
    followed: Vec<(ChannelKey, Option<State>)>,
    versions: &BTreeMap<ChannelKey, SnapshotVersion>,
) -> Vec<(ChannelKey, Option<SnapshotVersion>)> {
    followed
        .into_iter()
        .map(|(key, held)| (versions.get(&key).copied(), key, held))
        .filter(|(present, _, held)| held.as_ref().is_none_or(|held| held.version() != *present))
        .map(|(present, key, _)| (key, present))
        .collect()
}

/// Reads one channel. One that cannot be read does not hold up the others: it stays as it is, and the next poll tries again.
async fn read(context: &Context, hub: &Hub, key: &ChannelKey) {
    let wanted = key.clone();
    let loaded = context.read(move |conn| {
        let snapshot = db::snapshots::load(conn, &wanted)?;
        Ok(snapshot.map_or(State::Absent, |snapshot| State::Present(Arc::new(Encoded::new(&snapshot)))))
    });
    match loaded.await {
        Ok(state) => hub.publish(key, state),
        Err(error) => tracing::error!(cause = chain(&error), ?key, "a channel's snapshot could not be made"),
    }
}
