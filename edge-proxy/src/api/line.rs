//! This file's job is to make a connection that is let in, perhaps encrypted, one that Pingora serves HTTP on.

use super::client::Client;
use crate::pace::Paced;
use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use pingora_http::ResponseHeader;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A connection, with what every request on it needs to know of the client.
pub(crate) struct Line<I> {
    io: Paced<I>,
    id: UniqueIDType,
    is_http_2: bool,
    /// The one place where Pingora hands things of ours on to requests.
    client: Arc<ProxyDigest>,
}

impl<I> Line<I> {
    pub(crate) fn new(io: I, id: UniqueIDType, is_http_2: bool, client: Arc<Client>) -> Self {
        let io = Paced::new(io, client.pace.clone());
        let response = Box::new(ResponseHeader::build(200, Some(0)).expect("200 is a status"));
        Self { io, id, is_http_2, client: Arc::new(ProxyDigest::new(response, Some(Box::new(client)))) }
    }
}

impl<I> fmt::Debug for Line<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Line").field("id", &self.id).field("is_http_2", &self.is_http_2).finish_non_exhaustive()
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Line<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Line<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[async_trait]
impl<I: AsyncWrite + Unpin + Send> Shutdown for Line<I> {
    async fn shutdown(&mut self) {
        // Whoever is gone already needs no farewell.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl<I> UniqueID for Line<I> {
    fn id(&self) -> UniqueIDType {
        self.id
    }
}

impl<I> Ssl for Line<I> {
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.is_http_2.then_some(ALPN::H2)
    }
}

impl<I> GetTimingDigest for Line<I> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl<I> GetProxyDigest for Line<I> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(self.client.clone())
    }
}

impl<I> GetSocketDigest for Line<I> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl<I> Peek for Line<I> {}
