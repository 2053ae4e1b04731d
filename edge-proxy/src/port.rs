//! This file's job is to take in the connections of one port, within its limits, until it is time to stop.

use crate::addresses::{Addresses, Seat};
use crate::config::Config;
use crate::proxy_protocol;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::ListenerConfig;
use pingora_core::protocols::Stream;
use pingora_core::protocols::l4::stream::L4BufferSettings;
use pingora_core::server::Fds;
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use prometheus::{IntCounter, IntGauge};
use runtime::shutdown::Stop;
use std::net::{IpAddr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// Connections that run when the edge stops have this long; downloads go on at another edge by range.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A load balancer sends its header first of all, and it is near.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(crate) async fn enter(&self, stream: &mut Stream) -> Option<Entered> {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else { return self.refuse() };
        let address = self.address(stream).await?;
        let Some(seat) = self.addresses.enter(address) else { return self.refuse() };
        self.open.inc();
        Some(Entered { address, seat, open: self.open.clone(), _permit: permit })
    }

    async fn address(&self, stream: &mut Stream) -> Option<IpAddr> {
        let address = stream.get_socket_digest()?.peer_addr()?.as_inet()?.ip();
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
pub(crate) async fn serve<A>(name: &str, listener: TcpListener, app: A, gate: Gate, stop: Stop)
where
    A: ServerApp + Send + Sync + 'static,
{
    let Ok(address) = listener.local_addr() else { return };
    let mut service = Service::new(name.to_owned(), app);
    let address = address.to_string();
    // Who serves has buffers of its own: Pingora's would cost 64 KiB for each connection and copy everything twice.
    service.add_listener(ListenerConfig::tcp(address.clone()).l4_buffer(L4BufferSettings::unbuffered()));
    let mut fds = Fds::new();
    fds.add(address, listener.into_raw_fd());
    let fds = Arc::new(parking_lot::Mutex::new(fds));
    let (sender, shutdown) = watch::channel(false);
    let stopping = async move {
        stop.stopped().await;
        sender.send_replace(true);
        sender
    };
    let serving = service.start_service(Some(fds), shutdown, 1);
    let (_sender, ()) = tokio::join!(stopping, serving);
    gate.drain().await;
}
