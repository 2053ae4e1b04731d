//! This file's job is to tell a client in its own protocol that its request was not passed on, or broke on the way.

use super::admission::{Kind, Refused};
use crate::access::REQUEST_ID;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use pingora_core::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tonic::Code;

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    code: Code,
    message: &'static str,
}

impl Reply {
    const fn new(status: StatusCode, code: Code, message: &'static str) -> Self {
        Self { status, code, message }
    }

    /// Nobody can answer now. Calls that did nothing yet may be sent again.
    pub(crate) const AWAY: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "no control plane can be reached");
    /// Whether the call did something is not known.
    pub(crate) const BROKEN: Self =
        Self::new(StatusCode::BAD_GATEWAY, Code::Unavailable, "the control plane went away during the call");

    /// Says why a request is not passed on.
    pub(crate) const fn refused(refused: Refused) -> Self {
        match refused {
            Refused::Service => Self::new(StatusCode::NOT_FOUND, Code::Unimplemented, "there is no such service here"),
            Refused::Page => Self::new(StatusCode::NOT_FOUND, Code::Unimplemented, "there is no such page here"),
            Refused::Method => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, "nothing here knows the method")
            }
            Refused::Version => {
                Self::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, Code::Internal, "gRPC needs HTTP/2 all the way")
            }
            Refused::Headers => Self::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                Code::ResourceExhausted,
                "the headers are too large",
            ),
            Refused::Body => Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, "the body is too large"),
        }
    }

    /// Sends it, in place of an answer or behind a part of one.
    ///
    /// # Errors
    /// When the client is gone.
    pub(crate) async fn send(self, session: &mut Session, kind: Kind, request_id: &str) -> Result<()> {
        if session.response_written().is_some() {
            return self.send_end(session, kind).await;
        }
        match kind {
            // Browsers, too, find the status of a call without an answer in its head.
            Kind::Grpc | Kind::GrpcWeb => {
                let content = if kind == Kind::Grpc { "application/grpc" } else { "application/grpc-web+proto" };
                let mut header = ResponseHeader::build(StatusCode::OK, None)?;
                header.insert_header(REQUEST_ID, request_id)?;
                header.insert_header("content-type", content)?;
                for (name, value) in self.trailers() {
                    header.insert_header(name.expect("each has a name of its own"), value)?;
                }
                session.write_response_header(Box::new(header), true).await
            }
            Kind::Page => {
                let body = Bytes::from(format!("{}\n", self.message));
                let mut header = ResponseHeader::build(self.status, None)?;
                header.insert_header(REQUEST_ID, request_id)?;
                header.insert_header("content-type", "text/plain; charset=utf-8")?;
                header.insert_header("content-length", body.len())?;
                header.insert_header("cache-control", "no-store")?;
                session.write_response_header(Box::new(header), false).await?;
                session.write_response_body(Some(body), true).await
            }
        }
    }

    /// A stream that broke off ends with a status, so that the client knows what to do. Others see the end of the connection.
    async fn send_end(self, session: &mut Session, kind: Kind) -> Result<()> {
        if kind == Kind::Grpc && session.is_http2() {
            session.as_downstream_mut().write_response_trailers(self.trailers()).await?;
        }
        Ok(())
    }

    fn trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(self.code as i32));
        trailers.insert("grpc-message", HeaderValue::from_static(self.message));
        trailers
    }
}
