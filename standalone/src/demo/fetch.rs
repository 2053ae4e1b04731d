//! This file's job is to get one blob and to believe nothing about it that was not verified.

use crate::demo::http::{Http, HttpError};
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::CHUNK_SIZE_BYTES;
use http::StatusCode;
use http_body_util::BodyExt as _;
use runtime::backoff::Backoff;
use std::time::Duration;
use thiserror::Error;

/// A phone in a tunnel breaks off a few times; a server that always does is broken.
const TRIES_MAX: u32 = 5;
/// First wait after a broken connection.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest wait after a broken connection.
const RETRY_MAX: Duration = Duration::from_secs(2);
/// A stalled connection is given up after this.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the bytes must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// SHA-256 of all bytes.
    pub sha256: Sha256,
    /// Their number.
    pub size_bytes: u64,
    /// SHA-256 of each piece of 1 MiB; none when the server does not say.
    pub chunks: &'a [Sha256],
}

/// Bytes that were verified, and what they cost.
#[derive(Debug)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Bytes,
    /// Bytes of bodies that were received, also those that were thrown away.
    pub received_bytes: u64,
}

/// Why a blob could not be had.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server did not deliver.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server delivered other bytes than it promised.
    #[error("the bytes of {0} are wrong")]
    Wrong(Sha256),
    /// The connection broke too often.
    #[error("the connection broke {TRIES_MAX} times: {0}")]
    Broken(String),
}

/// Gets a blob, going on after the last verified piece when the connection breaks.
///
/// # Errors
/// When the server refuses, delivers wrong bytes, or breaks off too often.
pub async fn fetch(http: &Http, url: &str, expected: Expected<'_>) -> Result<Fetched, FetchError> {
    let mut intake = Intake { expected, bytes: Vec::new(), verified_bytes: 0, received_bytes: 0 };
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    let mut broken = String::new();
    for _ in 0..TRIES_MAX {
        match intake.run(http, url).await {
            Ok(()) => {
                let bytes = Bytes::from(intake.bytes);
                if Sha256::of(&bytes) != expected.sha256 {
                    return Err(FetchError::Wrong(expected.sha256));
                }
                return Ok(Fetched { bytes, received_bytes: intake.received_bytes });
            }
            Err(FetchError::Http(HttpError::Connection(cause))) => broken = cause,
            Err(FetchError::Http(HttpError::Timeout)) => broken = HttpError::Timeout.to_string(),
            Err(FetchError::Http(error)) => match error {
                HttpError::Status { status: StatusCode::SERVICE_UNAVAILABLE, text } => broken = text,
                error => return Err(error.into()),
            },
            Err(error) => return Err(error),
        }
        intake.forget_unverified();
        tokio::time::sleep(backoff.next_wait()).await;
    }
    Err(FetchError::Broken(broken))
}

struct Intake<'a> {
    expected: Expected<'a>,
    bytes: Vec<u8>,
    verified_bytes: u64,
    received_bytes: u64,
}

impl Intake<'_> {
    async fn run(&mut self, http: &Http, url: &str) -> Result<(), FetchError> {
        let response = http.stream(url, self.verified_bytes).await?;
        if self.verified_bytes > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            // The server sends everything again.
            self.bytes.clear();
            self.verified_bytes = 0;
        }
        let mut body = response.into_body();
        loop {
            let frame = tokio::time::timeout(PIECE_TIMEOUT, body.frame()).await.map_err(|_| HttpError::Timeout)?;
            match frame {
                Some(Ok(frame)) => self.take(frame.data_ref().map_or(&[][..], |data| data))?,
                Some(Err(error)) => return Err(HttpError::Connection(error.to_string()).into()),
                None if self.bytes.len() as u64 == self.expected.size_bytes => return Ok(()),
                None => return Err(HttpError::Connection("the body ended early".to_owned()).into()),
            }
        }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), FetchError> {
        self.received_bytes += data.len() as u64;
        self.bytes.extend_from_slice(data);
        let size_bytes = self.bytes.len() as u64;
        if size_bytes > self.expected.size_bytes {
            return Err(FetchError::Wrong(self.expected.sha256));
        }
        while !self.expected.chunks.is_empty() && self.verified_bytes < size_bytes {
            let end = (self.verified_bytes + CHUNK_SIZE_BYTES).min(self.expected.size_bytes);
            if size_bytes < end {
                break;
            }
            let index = (self.verified_bytes / CHUNK_SIZE_BYTES) as usize;
            let chunk = Sha256::of(&self.bytes[self.verified_bytes as usize..end as usize]);
            if self.expected.chunks.get(index) != Some(&chunk) {
                return Err(FetchError::Wrong(self.expected.sha256));
            }
            self.verified_bytes = end;
        }
        Ok(())
    }

    fn forget_unverified(&mut self) {
        self.bytes.truncate(self.verified_bytes as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server that answers each connection with the next of these raw answers; `RANGE` stands for the rest from the asked offset.
    async fn server(answers: Vec<Vec<u8>>) -> Http {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await.unwrap();
                socket.write_all(&answer).await.unwrap();
            }
        });
        Http::new(&base)
    }

    fn answer(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    fn sample() -> (Vec<u8>, Vec<Sha256>) {
        let bytes: Vec<u8> = (0..2_500_000_u32).map(|i| (i * 31 % 251) as u8).collect();
        let chunks = bytes.chunks(CHUNK_SIZE_BYTES as usize).map(Sha256::of).collect();
        (bytes, chunks)
    }

    #[tokio::test]
    async fn a_broken_download_goes_on_after_the_last_verified_piece() {
        let (bytes, chunks) = sample();
        let verified = CHUNK_SIZE_BYTES as usize;
        let first = answer("200 OK", bytes.len(), &bytes[..verified + 1000]);
        let rest = answer("206 Partial Content", bytes.len() - verified, &bytes[verified..]);
        let http = server(vec![first, rest]).await;
        let expected = Expected { sha256: Sha256::of(&bytes), size_bytes: bytes.len() as u64, chunks: &chunks };
        let fetched = fetch(&http, "/x", expected).await.unwrap();
        assert_eq!(fetched.bytes, bytes);
        assert_eq!(fetched.received_bytes, bytes.len() as u64 + 1000);
    }

    #[tokio::test]
    async fn a_wrong_byte_is_noticed_in_its_piece() {
        let (mut bytes, chunks) = sample();
        let expected = Expected { sha256: Sha256::of(&bytes), size_bytes: bytes.len() as u64, chunks: &chunks };
        bytes[10] ^= 1;
        let http = server(vec![answer("200 OK", bytes.len(), &bytes)]).await;
        assert!(matches!(fetch(&http, "/x", expected).await, Err(FetchError::Wrong(_))));
        let http = server(vec![answer("200 OK", bytes.len(), &bytes)]).await;
        let without_chunks = Expected { chunks: &[], ..expected };
        assert!(matches!(fetch(&http, "/x", without_chunks).await, Err(FetchError::Wrong(_))));
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let http = server(vec![answer("404 Not Found", 2, b"no")]).await;
        let expected = Expected { sha256: Sha256::of(b"x"), size_bytes: 1, chunks: &[] };
        assert!(matches!(fetch(&http, "/x", expected).await, Err(FetchError::Http(HttpError::Status { .. }))));
    }
}
