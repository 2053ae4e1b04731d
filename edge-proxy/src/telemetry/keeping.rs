//! This file's job is to hold together what keeps telemetry: the spool with events one by one, and the ledger with numbers.

use super::counts::Counts;
use super::courier::{Courier, write_down};
use super::deliver::{Uplink, deliver};
use super::forward::{Forwarder, sync_spool};
use super::ledger::Ledger;
use super::spool::Spool;
use crate::meters::Meters;
use runtime::health::Health;
use runtime::shutdown::Stop;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What devices report and what is counted of them. Clones share it.
#[derive(Clone)]
pub(crate) struct Telemetry {
    pub(crate) spool: Arc<Spool>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Telemetry {
    /// Opens what is in the data folder. Blocks.
    pub(crate) fn open(folder: &Path, spool_max_bytes: u64, meters: &Arc<Meters>) -> io::Result<Self> {
        let spool = folder.join("spool");
        let ledger = Arc::new(Ledger::open(spool.join("ledger"), meters.clone())?);
        let spool = Arc::new(Spool::open(spool, spool_max_bytes, ledger.clone(), meters.clone())?);
        Ok(Self { spool, counts: Arc::new(Counts::new()), ledger })
    }

    /// Lets nothing be written any more, and makes what was written survive a power cut. Blocks.
    pub(crate) fn close(&self) -> io::Result<()> {
        let synced = self.spool.close();
        self.ledger.close(self.counts.take()).and(synced)
    }
}

/// What brings telemetry to disk and to the control plane.
pub(crate) struct Senders {
    pub(crate) telemetry: Telemetry,
    pub(crate) uplink: Uplink,
    pub(crate) meters: Arc<Meters>,
    pub(crate) health: Health,
    pub(crate) stop: Stop,
}

impl Senders {
    /// Starts them; they end when it is time to stop.
    pub(crate) fn spawn(self) -> [JoinHandle<()>; 4] {
        let Self { telemetry, uplink, meters, health, stop } = self;
        let Telemetry { spool, counts, ledger } = telemetry;
        let forwarder = Forwarder { spool: spool.clone(), meters: meters.clone() };
        let events = deliver(forwarder, uplink.clone(), health.component("edge telemetry"), stop.clone());
        let courier = Courier { ledger: ledger.clone(), meters: meters.clone() };
        let numbers = deliver(courier, uplink, health.component("edge counts"), stop.clone());
        [
            tokio::spawn(events),
            tokio::spawn(numbers),
            tokio::spawn(sync_spool(spool, stop.clone())),
            tokio::spawn(write_down(counts, ledger, meters, stop)),
        ]
    }
}
