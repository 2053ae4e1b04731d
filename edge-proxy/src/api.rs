//! This file's job is to serve the API port: what programs and browsers ask the control plane, passed on to its replicas.
//!
//! Pingora proxies; connections have the device port's limits and its way to notice slow clients.

mod admission;
mod client;
mod line;
mod relay;
pub(crate) mod replicas;
mod reply;

pub(crate) use admission::Kind;

use crate::access::AccessLog;
use crate::meters::Meters;
use crate::pace::{Limits, Pace, Patience};
use crate::peer::Peer;
use crate::port::{self, Gate};
use crate::tls::{self, Tls};
use admission::HEADERS_MAX_BYTES;
use client::Client;
use http::HeaderName;
use line::Line;
use pingora_core::apps::{HttpServerApp as _, ServerApp as _};
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::protocols::{Stream, UniqueIDType};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use relay::Relay;
use replicas::Replicas;
use runtime::shutdown::Stop;
use std::future::poll_fn;
use std::io::{self, Cursor, ErrorKind};
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, join};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// With what an HTTP/2 client begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A client says what it speaks first of all.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);
/// A first try and two more: whoever finds three replicas dead has waited long enough.
const TRIES_MAX: usize = 3;
/// Calls of one connection at once.
const STREAMS_MAX: u32 = 256;
/// Lets one upload fill a fast line across an ocean.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Streams say something every 15 seconds, other calls take 30 at most: in ten minutes without a byte either way nobody is there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The API port.
pub(crate) struct ApiPort {
    pub(crate) listener: TcpListener,
    pub(crate) gate: Gate,
    pub(crate) replicas: Replicas,
    pub(crate) meters: Arc<Meters>,
    pub(crate) access: Arc<AccessLog>,
    pub(crate) tls: Option<Tls>,
    /// The header in which a proxy says where requests came from.
    pub(crate) header: Option<HeaderName>,
    /// How long a connection is kept on which nothing is asked for.
    pub(crate) idle: Duration,
    pub(crate) stop: Stop,
}

struct App {
    proxy: Arc<HttpProxy<Relay>>,
    gate: Gate,
    meters: Arc<Meters>,
    access: Arc<AccessLog>,
    tls: Option<Tls>,
    header: Option<HeaderName>,
    limits: Limits,
}

impl port::App for App {
    async fn serve(self: Arc<Self>, mut stream: TcpStream, stop: watch::Receiver<bool>) {
        let Some(entered) = self.gate.enter(&mut stream).await else { return };
        let (id, pace) = (stream.as_raw_fd(), Arc::new(Pace::default()));
        let peer = Peer { entered, header: self.header.clone(), turn: self.access.turn() };
        let client = Arc::new(Client { peer, pace });
        match &self.tls {
            None => {
                let Ok(Ok(begin)) = timeout(PREFACE_TIMEOUT, read_begin(&mut stream)).await else { return };
                let is_http_2 = begin == PREFACE;
                let (reader, writer) = stream.into_split();
                let stream = join(Cursor::new(begin).chain(reader), writer);
                self.proxy(stream, id, is_http_2, client, stop).await;
            }
            Some(tls) => match tls.accept(stream).await {
                Some(stream) => {
                    let is_http_2 = tls::is_http_2(&stream);
                    self.proxy(stream, id, is_http_2, client, stop).await;
                }
                None => self.meters.handshakes_failed.inc(),
            },
        }
    }
}

/// Reads until it is clear what the client speaks.
async fn read_begin(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut begin = Vec::with_capacity(PREFACE.len());
    while begin.len() < PREFACE.len() && PREFACE.starts_with(&begin) {
        let missing = (PREFACE.len() - begin.len()) as u64;
        if (&mut *stream).take(missing).read_buf(&mut begin).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(begin)
}

impl App {
    /// Serves one connection until the client leaves or drags on.
    async fn proxy<I>(&self, io: I, id: UniqueIDType, is_http_2: bool, client: Arc<Client>, stop: watch::Receiver<bool>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
    {
        let mut patience = Patience::new(client.pace.clone(), self.limits);
        let line: Stream = Box::new(Line::new(io, id, is_http_2, client));
        let mut serving = pin!(self.proxy.process_new(line, &stop));
        poll_fn(|cx| match serving.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => patience.poll_end(cx),
        })
        .await;
    }
}

impl ApiPort {
    /// Serves until it is time to stop, then lets what runs finish for a while.
    pub(crate) async fn run(self) {
        // Whoever connects meanwhile waits.
        self.replicas.find().await;
        let conf = ServerConf { max_retries: TRIES_MAX, ..ServerConf::default() };
        let (replicas, meters, access) = (self.replicas, self.meters.clone(), self.access.clone());
        let relay = Relay { replicas, meters, access };
        let mut proxy = HttpProxy::new(relay, Arc::new(conf));
        proxy.h2_options = Some(options());
        proxy.handle_init_modules();
        let limits = Limits { answer: ANSWER_TIMEOUT, ..Limits::idle(self.idle) };
        let app = Arc::new(App {
            proxy: Arc::new(proxy),
            gate: self.gate.clone(),
            meters: self.meters,
            access: self.access,
            tls: self.tls,
            header: self.header,
            limits,
        });
        port::serve("api", self.listener, app.clone(), self.gate, self.stop).await;
        app.proxy.http_cleanup().await;
    }
}

fn options() -> H2Options {
    let mut options = H2Options::default();
    options
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX_BYTES as u32)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    options
}
