//! This file's job is to let Pingora accept connections and to hand their streams to hyper.
//!
//! Pingora brings listeners, their life cycle, and a place for TLS and upgrades; its own HTTP/1 session costs a third more CPU for each
//! request and has no deadline for headers.

use crate::addresses::Addresses;
use crate::peer::Peer;
use crate::proxy_protocol;
use crate::serve;
use crate::state::State;
use crate::tls::{self, Tls};
use async_trait::async_trait;
use http::HeaderName;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::ListenerConfig;
use pingora_core::protocols::Stream;
use pingora_core::protocols::l4::stream::L4BufferSettings;
use pingora_core::server::{Fds, ShutdownWatch};
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use runtime::shutdown::Stop;
use std::net::{IpAddr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Connections that run when the edge stops have this long; downloads go on at another edge by range.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A load balancer sends its header first of all, and it is near.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// The device port.
pub(crate) struct DevicePort {
    pub(crate) listener: TcpListener,
    pub(crate) state: Arc<State>,
    pub(crate) tls: Option<Tls>,
    pub(crate) stop: Stop,
}

struct App {
    state: Arc<State>,
    /// One permit for each connection.
    connections: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    tls: Option<Tls>,
    /// The header in which a proxy says where requests came from.
    header: Option<HeaderName>,
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(self: &Arc<Self>, mut stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let Ok(_permit) = self.connections.try_acquire() else { return self.refuse() };
        let address = self.address(&mut stream).await?;
        let Some(seat) = self.addresses.enter(address) else { return self.refuse() };
        let (peer, stop) = (Peer { seat, header: self.header.clone() }, shutdown.clone());
        self.state.meters.connections.inc();
        match &self.tls {
            None => serve::http_1(&self.state, &peer, stream, stop).await,
            // In a box of its own, so that connections without TLS need no room for its state.
            Some(tls) => Box::pin(self.serve_encrypted(tls, stream, peer, stop)).await,
        }
        self.state.meters.connections.dec();
        None
    }
}

impl App {
    /// Returns where the client is. `None` when it is gone already, or when there is no word of a load balancer that must be there.
    async fn address(&self, stream: &mut Stream) -> Option<IpAddr> {
        let address = stream.get_socket_digest()?.peer_addr()?.as_inet()?.ip();
        if !self.state.config.proxy_protocol {
            return Some(address);
        }
        let told = timeout(PROXY_TIMEOUT, proxy_protocol::read(stream)).await.ok()?.ok()?;
        Some(told.unwrap_or(address))
    }

    /// Closes the connection.
    fn refuse(&self) -> Option<Stream> {
        self.state.meters.connections_refused.inc();
        None
    }

    async fn serve_encrypted(&self, tls: &Tls, stream: Stream, peer: Peer, stop: watch::Receiver<bool>) {
        match tls.accept(stream).await {
            Some(stream) if tls::is_http_2(&stream) => serve::http_2(self.state.clone(), peer, stream, stop).await,
            Some(stream) => serve::http_1(&self.state, &peer, stream, stop).await,
            None => self.state.meters.handshakes_failed.inc(),
        }
    }
}

impl DevicePort {
    /// Serves until it is time to stop, then lets what runs finish for [`DRAIN_TIMEOUT`].
    pub(crate) async fn run(self) {
        let connections_max = self.state.config.connections_max;
        let connections = Arc::new(Semaphore::new(connections_max));
        let Ok(address) = self.listener.local_addr() else { return };
        let addresses = Arc::new(Addresses::new(self.state.config.connections_per_address_max));
        let header = self.state.config.client_address_header.parse().ok();
        let app = App { state: self.state, connections: connections.clone(), addresses, tls: self.tls, header };
        let mut service = Service::new("devices".to_owned(), app);
        let address = address.to_string();
        // Hyper has its own buffers: Pingora's would cost 64 KiB for each connection and copy everything twice.
        service.add_listener(ListenerConfig::tcp(address.clone()).l4_buffer(L4BufferSettings::unbuffered()));
        let mut fds = Fds::new();
        fds.add(address, self.listener.into_raw_fd());
        let fds = Arc::new(parking_lot::Mutex::new(fds));
        let (sender, shutdown) = watch::channel(false);
        let stopping = async move {
            self.stop.stopped().await;
            sender.send_replace(true);
            sender
        };
        let serving = service.start_service(Some(fds), shutdown, 1);
        let (_sender, ()) = tokio::join!(stopping, serving);
        let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, connections.acquire_many(all)).await;
        if drained.is_err() {
            tracing::warn!(open = connections_max - connections.available_permits(), "connections are cut off");
        }
    }
}
