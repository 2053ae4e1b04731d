//! This file's job is to let one sender at a time work on an upload, the newest one.
//!
//! A sender whose connection died may not know it for half a minute. When it comes back, the new transfer must not wait for the old
//! one, and the two must not write parts between each other's.

use domain::id::UploadId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedMutexGuard, watch};

struct Place {
    /// The number of the newest sender.
    newest: watch::Sender<u64>,
    work: Arc<tokio::sync::Mutex<()>>,
}

/// Whose turn it is at each upload of this replica.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<UploadId, Arc<Place>>>);

/// The right to work on an upload until a newer sender comes.
pub struct Turn {
    turns: Arc<Turns>,
    upload: UploadId,
    place: Option<Arc<Place>>,
    number: u64,
    newest: watch::Receiver<u64>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Tells the sender before to stop, and waits until it has.
    pub async fn take(self: &Arc<Self>, upload: &UploadId) -> Turn {
        let place = {
            let mut places = self.0.lock();
            let empty = || Arc::new(Place { newest: watch::Sender::new(0), work: Arc::default() });
            Arc::clone(places.entry(upload.clone()).or_insert_with(empty))
        };
        let mut number = 0;
        place.newest.send_modify(|newest| {
            *newest += 1;
            number = *newest;
        });
        let newest = place.newest.subscribe();
        let work = Arc::clone(&place.work);
        let mut turn =
            Turn { turns: Arc::clone(self), upload: upload.clone(), place: Some(place), number, newest, guard: None };
        turn.guard = Some(work.lock_owned().await);
        turn
    }
}

impl Turn {
    /// Waits until a newer sender comes.
    pub async fn superseded(&mut self) {
        let number = self.number;
        // The place lives as long as this turn, so the sender cannot be gone.
        let _ = self.newest.wait_for(|newest| *newest > number).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        self.place = None;
        let mut places = self.turns.0.lock();
        // Nobody else can take a reference while the map is locked.
        if places.get(&self.upload).is_some_and(|place| Arc::strong_count(place) == 1) {
            places.remove(&self.upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;

    #[tokio::test]
    async fn a_newer_sender_ends_the_older_one_and_nothing_is_left_behind() {
        let turns = Arc::new(Turns::default());
        let upload = UploadId::from_parts(Timestamp::from_us(1), [1; 10]);
        let mut first = turns.take(&upload).await;
        let second = tokio::spawn({
            let (turns, upload) = (Arc::clone(&turns), upload.clone());
            async move { turns.take(&upload).await }
        });
        first.superseded().await;
        assert!(!second.is_finished());
        drop(first);
        let second = second.await.expect("the newer sender gets its turn");
        assert_eq!(turns.0.lock().len(), 1);
        drop(second);
        assert!(turns.0.lock().is_empty());
    }
}
