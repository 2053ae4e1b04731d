//! This file's job is to pass requests on to the control plane's replicas, each at most once unless that is harmless.

use super::admission::{self, Kind, Refused};
use super::client::Client;
use super::replicas::{self, Replicas};
use super::reply::Reply;
use crate::access::{AccessLog, Line, REQUEST_ID};
use crate::meters::Meters;
use crate::pace::Busy;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, FORWARDED};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use runtime::request_id;
use runtime::traceparent::{self, TRACEPARENT_HEADER};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the control plane finds who called: set anew on every request, so that no client chooses what stands there.
const ADDRESS_HEADERS: [&str; 2] = ["x-real-ip", "x-forwarded-for"];
const TRACESTATE: &str = "tracestate";
/// A client that takes no byte of its answer in this time is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that sends no byte of its body in this time is gone. (A stream over HTTP/2 may be silent for longer.)
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Passes requests on.
pub(crate) struct Relay {
    pub(crate) replicas: Replicas,
    pub(crate) meters: Arc<Meters>,
    pub(crate) access: Arc<AccessLog>,
}

/// What is known of a request.
pub(crate) struct Passage {
    client: Option<Arc<Client>>,
    kind: Kind,
    /// Its name, which both sides are told.
    request_id: String,
    is_due: bool,
    began: Instant,
    body_bytes: usize,
    /// None: the replica bounds it.
    body_max_bytes: Option<usize>,
    /// Where it was tried; none of them is tried again.
    tried: Vec<SocketAddr>,
    /// Tells the connection that the client is not the one who is slow.
    _busy: Option<Busy>,
}

#[async_trait]
impl ProxyHttp for Relay {
    type CTX = Passage;

    fn new_ctx(&self) -> Passage {
        Passage {
            client: None,
            kind: Kind::Page,
            request_id: String::new(),
            is_due: false,
            began: Instant::now(),
            body_bytes: 0,
            body_max_bytes: Some(0),
            tried: Vec::new(),
            _busy: None,
        }
    }

    /// None: what replicas answer is passed on as it is.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, passage: &mut Passage) -> Result<bool> {
        session.set_write_timeout(Some(WRITE_TIMEOUT));
        session.set_read_timeout(Some(READ_TIMEOUT));
        passage.client = Client::of(session);
        passage._busy = passage.client.as_ref().map(|client| client.pace.busy());
        passage.is_due = passage.client.as_ref().is_some_and(|client| client.peer.turn.is_due());
        passage.name(session.req_header_mut())?;
        let head = session.req_header();
        passage.kind = admission::kind(&head.headers);
        passage.body_max_bytes = admission::body_max_bytes(passage.kind, head.uri.path());
        match admission::admit(&head.method, head.uri.path(), head.version, &head.headers) {
            Ok(_) if passage.is_too_large(declared_bytes(head)) => self.refuse(session, passage, Refused::Body).await,
            Ok(_) => Ok(false),
            Err(refused) => self.refuse(session, passage, refused).await,
        }
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        passage: &mut Passage,
    ) -> Result<()> {
        // Programs stream uploads of any size through here, held back by the replica's windows; it bounds each message.
        passage.body_bytes = passage.body_bytes.saturating_add(body.as_ref().map_or(0, Bytes::len));
        if passage.is_too_large(passage.body_bytes) {
            return Err(Error::explain(ErrorType::HTTPStatus(413), "the body is too large").into_down());
        }
        Ok(())
    }

    async fn upstream_peer(&self, _session: &mut Session, passage: &mut Passage) -> Result<Box<HttpPeer>> {
        let Some(replica) = self.replicas.choose(&passage.tried) else {
            return Err(Error::explain(ErrorType::ConnectNoRoute, "no replica is left to try").into_up());
        };
        passage.tried.push(replica.addr.clone());
        Ok(Box::new(replicas::peer(&replica)))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        passage: &mut Passage,
    ) -> Result<()> {
        let address = passage.client.as_ref().map(|client| client.peer.address(&session.req_header().headers));
        request.remove_header(&FORWARDED);
        for name in ADDRESS_HEADERS {
            request.remove_header(name);
            if let Some(address) = address {
                request.insert_header(name, address.to_canonical().to_string())?;
            }
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        passage: &mut Passage,
    ) -> Result<()> {
        response.insert_header(REQUEST_ID, &passage.request_id)
    }

    /// No connection, so nothing was sent: another replica may have it.
    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        _passage: &mut Passage,
        mut error: Box<Error>,
    ) -> Box<Error> {
        self.meters.api_retries.inc();
        error.set_retry(true);
        error
    }

    /// The replica may have begun with it: only what changes nothing is sent again.
    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        _passage: &mut Passage,
        _is_reused: bool,
    ) -> Box<Error> {
        let mut error = error.more_context(format!("replica {peer}"));
        let is_harmless = session.req_header().method.is_safe() && !session.as_ref().retry_buffer_truncated();
        let is_retried =
            is_harmless && error.esource() == &ErrorSource::Upstream && session.response_written().is_none();
        self.meters.api_retries.inc_by(u64::from(is_retried));
        error.set_retry(is_retried);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, passage: &mut Passage) -> FailToProxy {
        let reply = match (error.etype(), error.esource()) {
            (ErrorType::HTTPStatus(413), _) => Some(Reply::refused(Refused::Body)),
            (ErrorType::ConnectNoRoute, _) => Some(Reply::AWAY),
            // It is gone, or does not speak HTTP: nothing reaches it.
            (_, ErrorSource::Downstream) => None,
            (_, ErrorSource::Upstream | ErrorSource::Internal | ErrorSource::Unset) => Some(Reply::BROKEN),
        };
        let status = reply.map_or(0, |reply| reply.status.as_u16());
        if let Some(reply) = reply
            && let Err(error) = reply.send(session, passage.kind, &passage.request_id).await
        {
            tracing::debug!(%error, "a client was gone before it was told");
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, passage: &mut Passage) {
        let status = session.response_written().map_or(0, |response| response.status.as_u16());
        self.meters.answers.count_api(passage.kind, status);
        let failure = error.filter(|error| error.esource() != &ErrorSource::Downstream);
        if let Some(error) = failure {
            let replica = passage.tried.last().map(ToString::to_string);
            tracing::warn!(request_id = passage.request_id, replica, %error, "a request could not be passed on");
        }
        if self.access.is_written(passage.is_due, !(100..400).contains(&status)) {
            let head = session.req_header();
            let from = passage.client.as_ref().map(|client| client.peer.network(&head.headers));
            self.access.write(&Line {
                request_id: &passage.request_id,
                route: passage.kind.name(),
                // Pages' paths may say things that are nobody's business; services have names.
                call: admission::is_service(head.uri.path()).then(|| head.uri.path()),
                status,
                took: Some(passage.began.elapsed()),
                bytes: Some(session.body_bytes_sent() as u64),
                channel: None,
                peer: from.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            });
        }
    }

    /// [`Self::logging`] says it once.
    fn suppress_error_log(&self, _session: &Session, _passage: &Passage, _error: &Error) -> bool {
        true
    }
}

impl Relay {
    /// Answers in the control plane's place. True: the request is done.
    async fn refuse(&self, session: &mut Session, passage: &Passage, refused: Refused) -> Result<bool> {
        Reply::refused(refused).send(session, passage.kind, &passage.request_id).await?;
        Ok(true)
    }
}

impl Passage {
    /// Names the request, by its proxy's word if there is one to be trusted, and takes a malformed name of its trace away.
    fn name(&mut self, head: &mut RequestHeader) -> Result<()> {
        let given = self.client.as_ref().and_then(|client| client.peer.request_id(&head.headers));
        let given = given.and_then(|id| id.to_str().ok()).map(str::to_owned);
        self.request_id = given.unwrap_or_else(request_id::make);
        head.insert_header(REQUEST_ID, &self.request_id)?;
        let trace = head.headers.get(TRACEPARENT_HEADER);
        if trace.is_some_and(|trace| traceparent::trace_id(trace.as_bytes()).is_none()) {
            head.remove_header(TRACEPARENT_HEADER);
            // It belongs to the other one.
            head.remove_header(TRACESTATE);
        }
        Ok(())
    }

    fn is_too_large(&self, body_bytes: usize) -> bool {
        self.body_max_bytes.is_some_and(|max| body_bytes > max)
    }
}

/// How large the client says that the body is.
fn declared_bytes(head: &RequestHeader) -> usize {
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
