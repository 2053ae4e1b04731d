//! This file's job is to receive a stream of chunks in constant memory and to keep whatever has arrived when it breaks.

use crate::app::uploads::{self, Piece, Turn, Turns};
use crate::auth::caller::Caller;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::names;
use bytes::{Bytes, BytesMut};
use db::uploads::Upload;
use domain::ErrorKind;
use proto::v1::{Reason, UploadChunksRequest};
use std::sync::Arc;
use std::time::Duration;
use tonic::Streaming;

/// What is collected before it is stored: fewer, larger writes, and not much to send again after a crash.
const PART_BYTES: usize = 4 << 20;
/// The contract's bound for one message.
const MESSAGE_MAX_BYTES: usize = 1 << 20;
/// A sender that is silent for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How a stream came to its end.
enum End {
    /// The sender has sent everything that it wanted to.
    Done,
    /// Something cut it off.
    Cut(Error),
}

struct Transfer<'a> {
    context: &'a Context,
    caller: &'a Caller,
    upload: Upload,
    /// Has arrived, is not stored yet; at most a part and a message.
    waiting: BytesMut,
}

/// Receives the stream and returns the upload after its last stored byte.
///
/// # Errors
/// What cut the stream off, after everything that had arrived was stored.
pub async fn receive(
    context: Context,
    turns: Arc<Turns>,
    caller: Caller,
    mut stream: Streaming<UploadChunksRequest>,
) -> Result<Upload> {
    let first = next(&mut stream).await?.ok_or_else(|| Error::field("name", "must be set in the first message"))?;
    let path = names::upload("name", &first.name)?;
    let mut turn = uploads::take_turn(&context, &turns, &caller, &path).await?;
    let upload = uploads::resume(&context, &caller, &path, first.offset).await?;
    let mut transfer = Transfer { context: &context, caller: &caller, upload, waiting: BytesMut::new() };
    transfer.take(first.data).await?;
    let end = transfer.run(&mut stream, &mut turn).await?;
    transfer.store().await?;
    match end {
        End::Done => Ok(transfer.upload),
        End::Cut(error) => Err(error),
    }
}

impl Transfer<'_> {
    async fn run(&mut self, stream: &mut Streaming<UploadChunksRequest>, turn: &mut Turn) -> Result<End> {
        loop {
            // Only the wait for a message is cut off, never a write.
            let message = tokio::select! {
                message = next(stream) => message,
                () = turn.superseded() => return Ok(End::Cut(superseded())),
                () = self.context.stop.stopped() => return Ok(End::Cut(stopping())),
            };
            match message {
                Ok(Some(message)) => self.take(message.data).await?,
                Ok(None) => return Ok(End::Done),
                Err(error) => return Ok(End::Cut(error)),
            }
        }
    }

    async fn take(&mut self, data: Bytes) -> Result<()> {
        if data.len() > MESSAGE_MAX_BYTES {
            return Err(Error::field("data", format!("must be at most {MESSAGE_MAX_BYTES} bytes a message")));
        }
        self.waiting.extend_from_slice(&data);
        if self.waiting.len() >= PART_BYTES { self.store().await } else { Ok(()) }
    }

    /// Makes durable what has arrived.
    async fn store(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Piece { offset: self.upload.received_bytes, bytes: self.waiting.split().freeze() };
        self.upload = uploads::append(self.context, self.caller, &self.upload, piece).await?;
        Ok(())
    }
}

async fn next(stream: &mut Streaming<UploadChunksRequest>) -> Result<Option<UploadChunksRequest>> {
    match tokio::time::timeout(SILENCE_MAX, stream.message()).await {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(status)) => {
            tracing::debug!(%status, "a transfer broke off");
            Err(Error::unavailable("the transfer broke off: go on from received_bytes"))
        }
        Err(_) => Err(Error::unavailable("the sender was silent for too long: go on from received_bytes")),
    }
}

fn superseded() -> Error {
    Error::refused(ErrorKind::Conflict, Reason::UploadState, "another call goes on with this upload")
}

fn stopping() -> Error {
    Error::unavailable("the server is stopping: go on from received_bytes")
}
