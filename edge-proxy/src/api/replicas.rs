//! This file's job is to know the control plane's replicas, and which of them are well.

use async_trait::async_trait;
use http::Uri;
use http::uri::Scheme;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_load_balancing::discovery::ServiceDiscovery;
use pingora_load_balancing::health_check::HealthCheck;
use pingora_load_balancing::selection::RoundRobin;
use pingora_load_balancing::{Backend, Backends, Extensions, LoadBalancer};
use prometheus::IntGauge;
use runtime::health::{Component, State};
use runtime::shutdown::Stop;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::{MissedTickBehavior, timeout};

/// How soon a dead replica gets no more calls, and a new one its first.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// A replica that needs longer to say how it is has no time for calls either. All of one check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// A replica that does not take a connection in this time is away; the call goes to another one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Finds half-open connections.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Calls on one connection to a replica; a replica takes 256.
const STREAMS_MAX: usize = 128;
/// What a replica may send ahead of a slow client: for one call, and for all of a connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// A name with more addresses than that is no control plane.
const REPLICAS_MAX: usize = 64;

/// Where replicas are: a name may have many addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    host: String,
    port: u16,
    tls: bool,
}

impl Place {
    /// Reads `http://host:port` or `https://host`.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let uri: Uri = address.parse().ok()?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return None,
        };
        let is_bare = uri.path() == "/" && uri.query().is_none();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        is_bare.then(|| Some(Self { host: uri.host()?.trim_matches(['[', ']']).to_owned(), port, tls }))?
    }
}

/// The replicas.
#[derive(Clone)]
pub(crate) struct Replicas(Arc<LoadBalancer<RoundRobin>>);

impl Replicas {
    /// Knows none before [`Self::find`].
    pub(crate) fn new(places: Vec<Place>) -> Self {
        let mut backends = Backends::new(Box::new(Names(places)));
        backends.set_health_check(Box::new(Asking(Connector::new(None))));
        Self(Arc::new(LoadBalancer::from_backends(backends)))
    }

    /// Looks for replicas for the first time, so that the first calls find some.
    pub(crate) async fn find(&self) {
        if !matches!(timeout(CHECK_TIMEOUT, self.0.update()).await, Ok(Ok(()))) {
            tracing::warn!("the control plane's replicas are not found yet");
        }
    }

    /// Looks for replicas, and how they are, until it is time to stop.
    pub(crate) async fn watch(self, well: IntGauge, health: Component, stop: Stop) {
        let mut ticks = tokio::time::interval(CHECK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until(ticks.tick()).await.is_some() {
            if let Err(error) = self.0.update().await {
                tracing::warn!(%error, "the control plane's replicas are not found; those known stay");
            }
            if stop.run_until(self.0.backends().run_health_check(true)).await.is_none() {
                return;
            }
            let (all, ready) = self.count();
            well.set(i64::try_from(ready).unwrap_or(i64::MAX));
            let state = if ready > 0 { State::Ready } else { State::Degraded };
            health.set(state, &format!("{ready} of {all} control-plane replicas answer"));
        }
    }

    /// Returns the next replica that was not tried, a healthy one if there is one: the others may be well again.
    pub(crate) fn choose(&self, tried: &[SocketAddr]) -> Option<Backend> {
        let is_new = |replica: &Backend| !tried.contains(&replica.addr);
        let healthy = self.0.select_with(b"", REPLICAS_MAX, |replica, is_well| is_well && is_new(replica));
        healthy.or_else(|| self.0.select_with(b"", REPLICAS_MAX, |replica, _| is_new(replica)))
    }

    fn count(&self) -> (usize, usize) {
        let all = self.0.backends().get_backend();
        (all.len(), all.iter().filter(|replica| self.0.backends().ready(replica)).count())
    }
}

/// Returns how to speak with a replica: HTTP/2 only, as gRPC needs.
pub(crate) fn peer(replica: &Backend) -> HttpPeer {
    let place = replica.ext.get::<Place>();
    let (tls, name) = place.map_or((false, String::new()), |place| (place.tls, place.host.clone()));
    let mut peer = HttpPeer::new(replica.addr.clone(), tls, name);
    peer.options.set_http_version(2, 2);
    peer.options.connection_timeout = Some(CONNECT_TIMEOUT);
    peer.options.total_connection_timeout = Some(CONNECT_TIMEOUT * 2);
    peer.options.h2_ping_interval = Some(PING_EVERY);
    peer.options.max_h2_streams = STREAMS_MAX;
    peer.options.h2_stream_window_size = Some(STREAM_WINDOW_BYTES);
    peer.options.h2_connection_window_size = Some(CONNECTION_WINDOW_BYTES);
    peer
}

/// Asks the name service.
struct Names(Vec<Place>);

#[async_trait]
impl ServiceDiscovery for Names {
    async fn discover(&self) -> Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let mut found = BTreeSet::new();
        let mut failed = None;
        for place in &self.0 {
            match lookup_host((place.host.as_str(), place.port)).await {
                Ok(addresses) => found.extend(addresses.map(|address| {
                    let mut ext = Extensions::new();
                    ext.insert(place.clone());
                    Backend { addr: SocketAddr::Inet(address), weight: 1, ext }
                })),
                Err(error) => failed = Some((place, error)),
            }
        }
        match failed {
            Some((place, error)) if found.is_empty() => {
                Error::e_because(ErrorType::ConnectError, format!("{} has no address", place.host), error)
            }
            _ => Ok((found.into_iter().take(REPLICAS_MAX).collect(), HashMap::new())),
        }
    }
}

/// Asks a replica's `/healthz`.
struct Asking(Connector);

#[async_trait]
impl HealthCheck for Asking {
    async fn check(&self, replica: &Backend) -> Result<()> {
        let asked = timeout(CHECK_TIMEOUT, self.ask(replica)).await;
        asked.map_err(|_| Error::explain(ErrorType::ReadTimedout, "a health check took too long"))?
    }

    /// One failed check is enough: a call that goes elsewhere costs nothing.
    fn health_threshold(&self, _success: bool) -> usize {
        1
    }
}

impl Asking {
    async fn ask(&self, replica: &Backend) -> Result<()> {
        let peer = peer(replica);
        let (mut session, _) = self.0.get_http_session(&peer).await?;
        let mut request = RequestHeader::build("GET", b"/healthz", None)?;
        request.insert_header("host", replica.ext.get::<Place>().map_or("replica", |place| place.host.as_str()))?;
        session.write_request_header(Box::new(request)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map(|header| header.status);
        while session.read_response_body().await?.is_some() {}
        let idle_timeout = peer.options.idle_timeout;
        self.0.release_http_session(session, &peer, idle_timeout).await;
        if status.is_some_and(|status| status.is_success()) {
            return Ok(());
        }
        Error::e_explain(ErrorType::InvalidHTTPHeader, "the replica is not well")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bare_address() {
        let place = |host: &str, port, tls| Some(Place { host: host.to_owned(), port, tls });
        assert_eq!(Place::parse("http://127.0.0.1:8070"), place("127.0.0.1", 8070, false));
        assert_eq!(Place::parse("https://aloft.example.com"), place("aloft.example.com", 443, true));
        assert_eq!(Place::parse("http://[::1]:8070/"), place("::1", 8070, false));
        for wrong in ["aloft:8070", "ftp://aloft", "http://aloft/path", "http://aloft/?q", ""] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_leaves_the_others_in() {
        let places = ["http://127.0.0.1:1", "http://nowhere.invalid:1"].map(|text| Place::parse(text).unwrap());
        let (found, _) = Names(places.to_vec()).discover().await.unwrap();
        assert_eq!(found.len(), 1);
        assert!(Names(places[1..].to_vec()).discover().await.is_err());
    }
}
