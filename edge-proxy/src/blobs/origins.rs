//! This file's job is to get a chunk from the first place that has it, whatever the others do.

use super::breaker::Breaker;
use super::hedge::Hedges;
use super::origin::{Origin, Wanted};
use super::{BlobError, hash};
use crate::meters::Meters;
use bytes::Bytes;
use domain::Sha256;
use futures::future::{Either, select};
use runtime::failpoint;
use runtime::health::{Component, State};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Every place failed: so often all are asked in all.
const ROUNDS: u32 = 3;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

/// All places that blobs come from, the nearest first.
pub(crate) struct Origins {
    places: Vec<Place>,
    meters: Arc<Meters>,
    health: Component,
}

struct Place {
    origin: Origin,
    breaker: Breaker,
    hedges: Hedges,
}

impl Origins {
    pub(crate) fn new(origins: Vec<Origin>, meters: Arc<Meters>, health: Component) -> Self {
        let place = |origin| Place { origin, breaker: Breaker::default(), hedges: Hedges::default() };
        health.set(State::Ready, "nothing was asked for yet");
        Self { places: origins.into_iter().map(place).collect(), meters, health }
    }

    /// Fetches the chunk and verifies it.
    pub(crate) async fn fetch(&self, wanted: &Wanted, expected: &Sha256) -> Result<Bytes, BlobError> {
        let mut last = BlobError::StoreAway("every place that has blobs keeps failing".to_owned());
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let mut is_missing = true;
            for (index, place) in self.places.iter().enumerate() {
                if !place.breaker.admits() {
                    is_missing = false;
                    continue;
                }
                match self.ask(index, wanted, expected).await {
                    Ok(bytes) => return Ok(bytes),
                    Err(error) => {
                        tracing::warn!(sha256 = %wanted.sha256, from = place.origin.name(), %error, "a place failed");
                        is_missing &= matches!(error, BlobError::Missing);
                        last = error;
                    }
                }
            }
            if is_missing {
                return Err(BlobError::Missing);
            }
        }
        Err(last)
    }

    /// Asks a place, and when that takes long, once more: the next place that may be asked, or the same one.
    async fn ask(&self, index: usize, wanted: &Wanted, expected: &Sha256) -> Result<Bytes, BlobError> {
        let place = &self.places[index];
        let delay = place.hedges.delay();
        let first = pin!(self.ask_once(place, wanted, expected));
        let first = match select(first, pin!(tokio::time::sleep(delay))).await {
            Either::Left((result, _)) => return result,
            Either::Right(((), first)) => first,
        };
        if !place.hedges.take() {
            return first.await;
        }
        self.meters.blobs.origin_hedges.inc();
        let next = self.places[index + 1..].iter().find(|next| next.breaker.admits()).unwrap_or(place);
        match select(first, pin!(self.ask_once(next, wanted, expected))).await {
            Either::Left((Ok(bytes), _)) | Either::Right((Ok(bytes), _)) => Ok(bytes),
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        }
    }

    async fn ask_once(&self, place: &Place, wanted: &Wanted, expected: &Sha256) -> Result<Bytes, BlobError> {
        let begun = Instant::now();
        let mut result = place.origin.get(wanted).await;
        if let Ok(bytes) = &result {
            self.meters.blobs.fetched_bytes.inc_by(bytes.len() as u64);
            let is_right = hash(bytes.clone()).await == Some(*expected);
            if !is_right && !failpoint::is_broken("edge.chunk-verified") {
                result = Err(BlobError::Corrupt);
            }
        }
        let name = place.origin.name();
        let outcome = match &result {
            Ok(_) => "good",
            Err(BlobError::Missing) => "missing",
            Err(BlobError::Corrupt) => "corrupt",
            Err(BlobError::StoreAway(_)) => "failed",
        };
        self.meters.blobs.origin_requests.with_label_values(&[name, outcome]).inc();
        self.meters.blobs.origin_durations.with_label_values(&[name]).observe(begun.elapsed().as_secs_f64());
        match &result {
            Ok(_) => {
                place.hedges.note(begun.elapsed());
                place.breaker.succeeded();
                self.health.set(State::Ready, &format!("the {name} answers"));
            }
            Err(BlobError::StoreAway(why)) => {
                if place.breaker.failed() {
                    self.health.set(State::Degraded, &format!("the {name} keeps failing: {why}"));
                }
            }
            // The place works; what is wrong is this blob.
            Err(BlobError::Missing) => place.breaker.succeeded(),
            Err(BlobError::Corrupt) => {
                tracing::error!(sha256 = %wanted.sha256, from = name, "wrong bytes came");
                self.meters.blobs.verify_failures.with_label_values(&[name]).inc();
                place.breaker.succeeded();
            }
        }
        result
    }
}
