//! This file's job is to be the body of every answer: bytes that are at hand, or pieces that are still being read.

use crate::pace::Busy;
use bytes::Bytes;
use futures::stream::Stream;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body whose size is known before its first byte is sent.
pub(crate) enum Body {
    /// Bytes at hand; empty at the end.
    Whole(Bytes),
    /// Pieces of together `left_bytes`. A stream that ends early or fails closes the connection, so a client sees it.
    Pieces { pieces: Pieces, left_bytes: u64, busy: Option<Busy> },
    /// No bytes, for an answer to HEAD that speaks of `size_bytes`.
    Described { size_bytes: u64 },
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    pub(crate) fn pieces(size_bytes: u64, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::Pieces { pieces: Box::pin(pieces), left_bytes: size_bytes, busy: None }
    }

    /// Keeps the connection busy for as long as pieces are still being read.
    pub(crate) fn keep(&mut self, guard: Busy) {
        match self {
            Self::Pieces { busy, .. } => *busy = Some(guard),
            Self::Whole(_) | Self::Described { .. } => drop(guard),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Described { .. } => Poll::Ready(None),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces { left_bytes: 0, .. } => Poll::Ready(None),
            Self::Pieces { pieces, left_bytes, .. } => match pieces.as_mut().poll_next(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Poll::Ready(Some(piece)) => Poll::Ready(Some(piece.map(|bytes| {
                    *left_bytes = left_bytes.saturating_sub(bytes.len() as u64);
                    Frame::data(bytes)
                }))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Described { .. } => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Pieces { left_bytes, .. } => *left_bytes == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Described { size_bytes } => SizeHint::with_exact(*size_bytes),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces { left_bytes, .. } => SizeHint::with_exact(*left_bytes),
        }
    }
}
