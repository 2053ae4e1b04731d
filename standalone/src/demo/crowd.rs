//! This file's job is to be many devices that only check.

use crate::demo::device::{Device, Identity};
use crate::demo::http::Http;
use crate::demo::installation::Installed;
use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Requests in flight at once: a small machine runs the devices too, so more would only measure how they wait for each other.
const CONCURRENCY: usize = 2;

/// Many registered devices that run the same bundle.
#[derive(Debug)]
pub struct Crowd {
    devices: Vec<Device>,
}

/// What a round of update checks found.
#[derive(Debug)]
pub struct Round {
    /// The devices that the release is offered to.
    pub offered: BTreeSet<String>,
    /// The middle of how long a check took.
    pub median: Duration,
    /// What 99 of 100 checks stayed below.
    pub p99: Duration,
    /// How long the whole round took.
    pub took: Duration,
}

impl Crowd {
    /// Registers so many devices, which then run the bundle.
    ///
    /// # Errors
    /// When one cannot register.
    pub async fn register(http: &Http, identity: &Identity, bundle: &Installed, count: usize) -> Result<Self> {
        let devices = futures::stream::iter(0..count)
            .map(|_| async {
                let mut device = Device::register(http, identity.clone()).await?;
                device.adopt(bundle.clone());
                anyhow::Ok(device)
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(Self { devices })
    }

    /// Returns how many devices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Says whether there are no devices.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Lets every device check once.
    ///
    /// # Errors
    /// When one check fails.
    pub async fn check(&self, release_id: &str) -> Result<Round> {
        let begun = Instant::now();
        let checks: Vec<_> = futures::stream::iter(&self.devices)
            .map(|device| async move { anyhow::Ok((device.id(), device.check().await?)) })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        let took = begun.elapsed();
        let mut times: Vec<Duration> = checks.iter().map(|(_, checked)| checked.took).collect();
        times.sort();
        let is_offered = |checked: &crate::demo::device::Checked| {
            checked.page.update.as_ref().is_some_and(|update| update.release_id == release_id)
        };
        Ok(Round {
            offered: checks.into_iter().filter(|(_, checked)| is_offered(checked)).map(|(id, _)| id).collect(),
            median: at_share(&times, 50),
            p99: at_share(&times, 99),
            took,
        })
    }
}

/// Returns the time that so many percent of the sorted times stay at or below.
fn at_share(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_times_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(at_share(&times, 50), Duration::from_micros(100));
        assert_eq!(at_share(&times, 99), Duration::from_micros(198));
        assert_eq!(at_share(&[], 99), Duration::ZERO);
    }
}
