//! This file's job is to take in the connections of one port, within its limits, until it is time to stop.

use crate::addresses::{Addresses, Seat};
use crate::config::Config;
use crate::proxy_protocol;
use prometheus::{IntCounter, IntGauge};
use runtime::shutdown::Stop;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections that run when the edge stops have this long; downloads go on at another edge by range.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A load balancer sends its header first of all, and it is near.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// Before the next try after the system had no file or memory for a connection: one that waits makes every try fail at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What serves the connections of a port.
pub(crate) trait App: Send + Sync + 'static {
    /// Serves one until it is over. Once `stop` becomes true it finishes what runs.
    fn serve(self: Arc<Self>, stream: TcpStream, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send;
}

/// Lets connections in.
#[derive(Clone)]
pub(crate) struct Gate {
    /// One permit for each connection.
    permits: Arc<Semaphore>,
    max: usize,
    addresses: Arc<Addresses>,
    proxy_protocol: bool,
    open: IntGauge,
    refused: IntCounter,
}

/// A connection that was let in, for as long as this lives.
pub(crate) struct Entered {
    /// Where it comes from, by the load balancer's word when there has to be one.
    pub(crate) address: IpAddr,
    pub(crate) seat: Seat,
    open: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Gate {
    /// Grants `max` connections at once.
    pub(crate) fn new(config: &Config, max: usize, open: IntGauge, refused: IntCounter) -> Self {
        let addresses = Arc::new(Addresses::new(config.connections_per_address_max));
        let proxy_protocol = config.proxy_protocol;
        Self { permits: Arc::new(Semaphore::new(max)), max, addresses, proxy_protocol, open, refused }
    }

    /// `None` when there are too many, when the client is gone already, or when there is no word of a load balancer that must be there.
    pub(crate) async fn enter(&self, stream: &mut TcpStream) -> Option<Entered> {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else { return self.refuse() };
        let address = self.address(stream).await?;
        let Some(seat) = self.addresses.enter(address) else { return self.refuse() };
        self.open.inc();
        Some(Entered { address, seat, open: self.open.clone(), _permit: permit })
    }

    async fn address(&self, stream: &mut TcpStream) -> Option<IpAddr> {
        let address = stream.peer_addr().ok()?.ip();
        if !self.proxy_protocol {
            return Some(address);
        }
        let told = timeout(PROXY_TIMEOUT, proxy_protocol::read(stream)).await.ok()?.ok()?;
        Some(told.unwrap_or(address))
    }

    /// The connection is closed.
    fn refuse(&self) -> Option<Entered> {
        self.refused.inc();
        None
    }

    /// Waits until all are gone, for [`DRAIN_TIMEOUT`] at most.
    async fn drain(&self) {
        let all = u32::try_from(self.max).unwrap_or(u32::MAX);
        if timeout(DRAIN_TIMEOUT, self.permits.acquire_many(all)).await.is_err() {
            tracing::warn!(open = self.max - self.permits.available_permits(), "connections are cut off");
        }
    }
}

/// Serves until it is time to stop, then lets what runs finish for [`DRAIN_TIMEOUT`]. The application asks the gate for each connection.
pub(crate) async fn serve(name: &str, listener: TcpListener, app: Arc<impl App>, gate: Gate, stop: Stop) {
    let (sender, stopping) = watch::channel(false);
    tokio::select! {
        Err(error) = accept(name, listener, app, stopping) => tracing::error!(port = name, %error, "the port cannot be served"),
        () = stop.stopped() => {}
    }
    sender.send_replace(true);
    gate.drain().await;
}

async fn accept(
    name: &str,
    listener: TcpListener,
    app: Arc<impl App>,
    stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written whole; waiting for more would only delay them. Whoever is gone already shows it soon.
                let _ = stream.set_nodelay(true);
                tokio::spawn(app.clone().serve(stream, stopping.clone()));
            }
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::warn!(port = name, %error, "no connection can be taken");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the connection failed before it was taken, which is no failure of the port.
fn is_of_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}
