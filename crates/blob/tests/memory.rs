//! This file's job is to check how much memory storing a large blob takes, alone in its process.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use blob::{Put, Store};
use domain::bundle::{Blob, ChunkHasher};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Zeros that are made as they are read.
fn stream(size_bytes: u64) -> impl AsyncRead + Unpin {
    tokio::io::repeat(0).take(size_bytes)
}

fn zeros(size_bytes: u64) -> Blob {
    let mut hasher = ChunkHasher::default();
    for _ in 0..size_bytes >> 20 {
        hasher.update(&[0; 1 << 20]);
    }
    hasher.finish()
}

/// The largest resident memory that this process ever had.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_blob_of_any_size_is_stored_in_constant_memory() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().display().to_string();
    let config = runtime::config::Store { url, access_key: "".into(), secret_key: "".into() };
    let store = Store::open(&config).await.unwrap();
    store.put(&zeros(16 << 20), stream(16 << 20)).await.unwrap();
    let (blob, before) = (zeros(100 << 20), peak_memory_bytes());
    assert_eq!(store.put(&blob, stream(100 << 20)).await.unwrap(), Put::Stored);
    let grown = peak_memory_bytes() - before;
    println!("100 MiB: peak memory grew by {grown} bytes");
    assert!(grown < 40 << 20, "{grown}");
}
