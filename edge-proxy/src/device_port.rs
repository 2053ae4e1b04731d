//! This file's job is to serve the device port: hyper on each connection, encrypted or not.
//!
//! Not Pingora: its own HTTP/1 session costs a third more CPU for each request and has no deadline for headers, and its streams cost a
//! twentieth.

use crate::peer::Peer;
use crate::port::{self, Gate};
use crate::serve;
use crate::state::State;
use crate::tls::{self, Tls};
use http::HeaderName;
use runtime::shutdown::Stop;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// The device port.
pub(crate) struct DevicePort {
    pub(crate) listener: TcpListener,
    pub(crate) state: Arc<State>,
    pub(crate) tls: Option<Tls>,
    pub(crate) stop: Stop,
}

struct App {
    state: Arc<State>,
    gate: Gate,
    tls: Option<Tls>,
    /// The header in which a proxy says where requests came from.
    header: Option<HeaderName>,
}

impl port::App for App {
    async fn serve(self: Arc<Self>, mut stream: TcpStream, stop: watch::Receiver<bool>) {
        let Some(entered) = self.gate.enter(&mut stream).await else { return };
        let peer = Peer { entered, header: self.header.clone(), turn: self.state.access.turn() };
        match &self.tls {
            None => serve::http_1(&self.state, &peer, stream, stop).await,
            // In a box of its own, so that connections without TLS need no room for its state.
            Some(tls) => Box::pin(self.serve_encrypted(tls, stream, peer, stop)).await,
        }
    }
}

impl App {
    async fn serve_encrypted(&self, tls: &Tls, stream: TcpStream, peer: Peer, stop: watch::Receiver<bool>) {
        match tls.accept(stream).await {
            Some(stream) if tls::is_http_2(&stream) => serve::http_2(self.state.clone(), peer, stream, stop).await,
            Some(stream) => serve::http_1(&self.state, &peer, stream, stop).await,
            None => self.state.meters.handshakes_failed.inc(),
        }
    }
}

impl DevicePort {
    /// Serves until it is time to stop, then lets what runs finish for a while.
    pub(crate) async fn run(self) {
        let (config, meters) = (&self.state.config, &self.state.meters);
        let header = config.client_address_header.parse().ok();
        let (open, refused) = (meters.connections.clone(), meters.connections_refused.clone());
        let gate = Gate::new(config, config.connections_max, open, refused);
        let app = Arc::new(App { state: self.state.clone(), gate: gate.clone(), tls: self.tls, header });
        port::serve("devices", self.listener, app, gate, self.stop).await;
    }
}
