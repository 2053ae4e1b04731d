//! This file's job is to let Pingora accept connections and to hand their streams to hyper.
//!
//! Pingora brings listeners, their life cycle, and a place for TLS and upgrades; its own HTTP/1 session costs a third more CPU for each
//! request and has no deadline for headers.

use crate::addresses::Addresses;
use crate::serve;
use crate::state::State;
use async_trait::async_trait;
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

/// Connections that run when the edge stops have this long; downloads go on at another edge by range.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The device port.
pub(crate) struct DevicePort {
    pub(crate) listener: TcpListener,
    pub(crate) state: Arc<State>,
    pub(crate) stop: Stop,
}

struct App {
    state: Arc<State>,
    /// One permit for each connection.
    connections: Arc<Semaphore>,
    addresses: Addresses,
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let permit = self.connections.try_acquire();
        let seat = address_of(&stream).map(|address| self.addresses.enter(address));
        let (Ok(_permit), None | Some(Some(_))) = (permit, &seat) else {
            self.state.meters.connections_refused.inc();
            return None;
        };
        self.state.meters.connections.inc();
        serve::connection(&self.state, stream, shutdown.clone()).await;
        drop(seat);
        self.state.meters.connections.dec();
        None
    }
}

/// Returns where the client is. `None` when it is gone already.
fn address_of(stream: &Stream) -> Option<IpAddr> {
    Some(stream.get_socket_digest()?.peer_addr()?.as_inet()?.ip())
}

impl DevicePort {
    /// Serves until it is time to stop, then lets what runs finish for [`DRAIN_TIMEOUT`].
    pub(crate) async fn run(self) {
        let connections_max = self.state.config.connections_max;
        let connections = Arc::new(Semaphore::new(connections_max));
        let Ok(address) = self.listener.local_addr() else { return };
        let addresses = Addresses::new(self.state.config.connections_per_address_max);
        let app = App { state: self.state, connections: connections.clone(), addresses };
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
