//! This file's job is to read the feed of every watched organization once and to hand each change to all who watch it.

use crate::context::Context;
use crate::error::{Result, chain};
use crate::names;
use crate::rpc::encode;
use db::feed::{Entry, Subject};
use db::{DbConn, Scope};
use domain::id::{AppId, OrganizationId};
use parking_lot::Mutex;
use proto::v1;
use proto::v1::watch_event;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;

/// Changes that one client may lag behind before it gets a snapshot instead.
const LAG_MAX: usize = 256;
/// Changes of one organization that are read at once.
const PAGE: u32 = 500;

/// One change, encoded once for everybody.
#[derive(Debug)]
pub struct Delta {
    /// The app.
    pub app: AppId,
    /// What changed.
    pub subject: Subject,
    /// Whether it is there no more.
    pub is_gone: bool,
    /// What is sent.
    pub response: v1::WatchResponse,
}

/// The watched organizations of this replica.
#[derive(Default)]
pub struct Hub(Mutex<BTreeMap<OrganizationId, Room>>);

struct Room {
    /// Up to where the feed was read.
    seq: i64,
    deltas: broadcast::Sender<Arc<Delta>>,
}

impl Hub {
    /// Begins to watch an organization. Whatever its feed gets from now on arrives, and perhaps something that came a little before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn join(&self, context: &Context, scope: &Scope) -> Result<broadcast::Receiver<Arc<Delta>>> {
        let organization = scope.organization();
        let subscribe =
            |rooms: &BTreeMap<OrganizationId, Room>| rooms.get(organization).map(|room| room.deltas.subscribe());
        if let Some(receiver) = subscribe(&self.0.lock()) {
            return Ok(receiver);
        }
        let asked = scope.clone();
        let seq = context.read(move |conn| Ok(db::feed::head(conn, asked.organization())?.last_seq)).await?;
        let mut rooms = self.0.lock();
        let room = rooms.entry(organization.clone());
        Ok(room.or_insert_with(|| Room { seq, deltas: broadcast::Sender::new(LAG_MAX) }).deltas.subscribe())
    }

    /// Returns the watched organizations with the number that was read last; forgets those that nobody watches any more.
    fn watched(&self) -> Vec<(OrganizationId, i64)> {
        let mut rooms = self.0.lock();
        rooms.retain(|_, room| room.deltas.receiver_count() > 0);
        rooms.iter().map(|(organization, room)| (organization.clone(), room.seq)).collect()
    }

    fn publish(&self, organization: &OrganizationId, deltas: Vec<Delta>) {
        let mut rooms = self.0.lock();
        let Some(room) = rooms.get_mut(organization) else { return };
        for delta in deltas {
            room.seq = delta.response.seq;
            // Nobody listens any more: the room goes at the next look.
            let _sent = room.deltas.send(Arc::new(delta));
        }
    }
}

/// Hands out what the feeds get until the stop, woken by signals and guaranteed by a poll.
pub async fn run(context: Context, hub: Arc<Hub>, poll: Duration) {
    let mut events = context.db.wakeups().events();
    let mut ticks = tokio::time::interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.stop.stopped() => return,
            () = events.wait() => {}
            _ = ticks.tick() => {}
        }
        if let Err(error) = refresh(&context, &hub).await {
            tracing::warn!(cause = chain(&error), "the feed cannot be read; the next look tries again");
        }
    }
}

async fn refresh(context: &Context, hub: &Hub) -> Result<()> {
    let watched = hub.watched();
    if watched.is_empty() {
        return Ok(());
    }
    let moved = context.read(move |conn| Ok(db::feed::moved(conn, &watched)?)).await?;
    for (organization, seq) in moved {
        let mut after = seq;
        loop {
            let asked = organization.clone();
            let deltas = context.read(move |conn| read(conn, &asked, after, PAGE)).await?;
            let Some(last) = deltas.last() else { break };
            after = last.response.seq;
            hub.publish(&organization, deltas);
        }
    }
    Ok(())
}

/// Reads the changes behind a number, with the present state of what changed.
///
/// # Errors
/// Those of the database.
pub fn read(conn: &mut DbConn, organization: &OrganizationId, after: i64, limit: u32) -> Result<Vec<Delta>> {
    // The stream checks what its own caller may see.
    let scope = Scope::authorized(organization.clone());
    let entries = db::feed::list_after(conn, organization, after, limit)?;
    entries.into_iter().map(|entry| delta(conn, &scope, entry)).collect()
}

fn delta(conn: &mut DbConn, scope: &Scope, entry: Entry) -> Result<Delta> {
    let present = match &entry.subject {
        Subject::Upload(id) => match db::uploads::get(conn, scope, id) {
            Ok(row) => watch_event::Subject::Upload(encode::upload(&row)),
            Err(db::Error::NotFound { .. }) => watch_event::Subject::Deleted(names::of_upload(&entry.app, id)),
            Err(error) => return Err(error.into()),
        },
        Subject::Channel(name) => match db::channels::find_by_name(conn, scope, &entry.app, name)? {
            Some(row) => watch_event::Subject::Channel(encode::channel(&row)),
            None => watch_event::Subject::Deleted(format!("{}/channels/{name}", names::of_app(&entry.app))),
        },
    };
    let is_gone = matches!(present, watch_event::Subject::Deleted(_));
    let event = v1::WatchEvent { at_us: entry.at.as_us(), subject: Some(present), stage: entry.stage };
    let message = Some(v1::watch_response::Message::Event(event));
    let response = v1::WatchResponse { seq: entry.seq, message };
    Ok(Delta { app: entry.app, subject: entry.subject, is_gone, response })
}
