//! This file's job is to play a place that has blobs and answers badly: a parent edge, or an S3 service.

use domain::Sha256;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use testkit::fault::Dice;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None at all.
    None,
    /// 503.
    Error,
    /// The connection breaks in the middle.
    Truncated,
    /// The answer ends early, and says so.
    Short,
    /// A few bytes too many.
    Extra,
    /// One bit is another one.
    BitFlip,
    /// Bytes of another blob, of the same size.
    WrongObject,
    /// 10 bytes a second.
    Slow,
    /// Nothing is said.
    Silent,
}

/// All that come at once or nearly so.
const QUICK: [Fault; 6] =
    [Fault::Error, Fault::Truncated, Fault::Short, Fault::Extra, Fault::BitFlip, Fault::WrongObject];

pub struct Faulty {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    blobs: Mutex<HashMap<String, bytes::Bytes>>,
    choose: Box<dyn Fn() -> Fault + Send + Sync>,
    asked: AtomicU64,
    faults: AtomicU64,
}

impl Faulty {
    /// Starts a place that always answers with this fault.
    pub async fn always(fault: Fault) -> Self {
        Self::start(Box::new(move || fault)).await
    }

    /// Starts a place of whose answers every second is wrong, one in 1,000 of them slow.
    pub async fn by_chance(dice: Dice) -> Self {
        let dice = Mutex::new(dice);
        Self::start(Box::new(move || {
            let mut dice = dice.lock();
            match (dice.below(2), dice.below(1_000)) {
                (0, _) => Fault::None,
                (_, 0) => Fault::Slow,
                _ => QUICK[dice.below(QUICK.len() as u64) as usize],
            }
        }))
        .await
    }

    async fn start(choose: Box<dyn Fn() -> Fault + Send + Sync>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counter = AtomicU64::default;
        let shared = Arc::new(Shared { blobs: Mutex::default(), choose, asked: counter(), faults: counter() });
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                // A client that goes away is its own business.
                tokio::spawn(async move { answer(stream, &shared).await });
            }
        });
        Self { address, shared, task }
    }

    pub fn has(&self, bytes: &bytes::Bytes) {
        self.shared.blobs.lock().insert(Sha256::of(bytes).to_hex(), bytes.clone());
    }

    /// Returns how many requests came.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// Returns how many answers were wrong.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut name, mut range) = (String::new(), None);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        if let Some(path) = line.strip_prefix("GET ") {
            let path = path.split([' ', '?']).next().unwrap();
            path.rsplit('/').next().unwrap().clone_into(&mut name);
        } else if let Some(text) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            let (start, last) = text.split_once('-').unwrap();
            range = Some(start.parse::<usize>().unwrap()..last.parse::<usize>().unwrap() + 1);
        } else if line.is_empty() {
            break;
        }
    }
    shared.asked.fetch_add(1, Ordering::Relaxed);
    let blob = shared.blobs.lock().get(&name).cloned();
    let (Some(range), Some(blob)) = (range, blob) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    };
    let fault = (shared.choose)();
    shared.faults.fetch_add(u64::from(fault != Fault::None), Ordering::Relaxed);
    play(stream.get_mut(), fault, &blob, range).await
}

async fn play(stream: &mut TcpStream, fault: Fault, blob: &[u8], range: Range<usize>) -> std::io::Result<()> {
    let mut body = blob[range.clone()].to_vec();
    let middle = body.len() / 2;
    match fault {
        Fault::None | Fault::Truncated | Fault::Slow | Fault::Silent | Fault::Error => {}
        Fault::Short => body.truncate(middle),
        Fault::Extra => body.extend_from_slice(b"extra"),
        Fault::BitFlip => body[middle] ^= 1,
        Fault::WrongObject => body.reverse(),
    }
    let status = if fault == Fault::Error { "503 Slow Down" } else { "206 Partial Content" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-range: bytes {}-{}/{}\r\nconnection: close\r\n\r\n",
        body.len(),
        range.start,
        range.end - 1,
        blob.len()
    );
    match fault {
        Fault::Silent => std::future::pending::<()>().await,
        Fault::Slow => {
            stream.write_all(head.as_bytes()).await?;
            for byte in body {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Fault::Truncated => {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body[..middle]).await?;
        }
        Fault::None | Fault::Error | Fault::Short | Fault::Extra | Fault::BitFlip | Fault::WrongObject => {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
    }
    stream.shutdown().await
}
