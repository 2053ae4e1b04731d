//! This file's job is to check what happens when a store is full, dead, slow or locked.

use blob::Store;
use bytes::Bytes;
use domain::bundle::{Blob, ChunkHasher};
use domain::id::UploadId;
use domain::{ErrorKind, Timestamp};
use std::time::{Duration, Instant};
use testkit::disk::SmallDisk;
use testkit::s3::TestS3;
use tokio::io::{AsyncRead, AsyncReadExt as _};

fn config(url: &str, access_key: &str, secret_key: &str) -> runtime::config::Store {
    runtime::config::Store { url: url.to_owned(), access_key: access_key.into(), secret_key: secret_key.into() }
}

fn upload() -> UploadId {
    UploadId::from_parts(Timestamp::default(), [0; 10])
}

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

#[tokio::test]
async fn wrong_credentials_are_reported_at_once() {
    let server = TestS3::start();
    let store = Store::open(&config(&server.url(), TestS3::ACCESS_KEY, "wrong")).await.unwrap();
    let started = Instant::now();
    for error in [
        store.check().await.unwrap_err(),
        store.append(&upload(), 0, Bytes::from_static(b"1")).await.unwrap_err(),
        store.put(&zeros(1 << 20), stream(1 << 20)).await.unwrap_err(),
    ] {
        assert!(matches!(error, blob::Error::Refused { status: 403, .. }), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(Store::open(&config(&server.url(), "", "")).await.is_err());
}

#[tokio::test]
async fn a_missing_bucket_is_the_operators_business_and_no_missing_blob() {
    let server = TestS3::start();
    let url = server.url().replace(TestS3::BUCKET, "elsewhere");
    let store = Store::open(&config(&url, TestS3::ACCESS_KEY, TestS3::SECRET_KEY)).await.unwrap();
    let error = store.check().await.unwrap_err();
    assert!(matches!(error, blob::Error::Refused { status: 404, .. }), "{error}");
}

#[tokio::test]
async fn a_dead_service_is_unavailable_within_seconds() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = Store::open(&config(&format!("s3://bucket?endpoint=http://{free}"), "key", "secret")).await.unwrap();
    let started = Instant::now();
    let error = store.stat(&zeros(0).sha256).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_service_whose_certificate_nobody_knows_is_not_talked_to() {
    let server = TestS3::start_with_tls();
    let store = Store::open(&config(&server.url(), TestS3::ACCESS_KEY, TestS3::SECRET_KEY)).await.unwrap();
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_silent_service_is_unavailable_within_the_limit_of_one_request() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("s3://bucket?endpoint=http://{}", silent.local_addr().unwrap());
    let store = Store::open(&config(&url, "key", "secret")).await.unwrap();
    let started = Instant::now();
    assert_eq!(store.check().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_service_that_comes_back_is_not_noticed() {
    let server = TestS3::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = server.url().split("http://").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let url = server.url().replace(&upstream, &port.to_string());
    let store = Store::open(&config(&url, TestS3::ACCESS_KEY, TestS3::SECRET_KEY)).await.unwrap();
    let asked = tokio::spawn(async move { store.size_bytes(&zeros(0).sha256).await });
    // Requests are signed for the port, so it is passed on byte for byte.
    // A pause, not to synchronise: the door opens while the store is between two tries.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let door = tokio::net::TcpListener::bind(port).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = door.accept().await {
            let mut far = tokio::net::TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    assert_eq!(asked.await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_is_reported_leaves_nothing_and_recovers() {
    let disk = SmallDisk::mount(12 << 20);
    let folder = disk.path().join("store").display().to_string();
    let store = Store::open(&config(&folder, "", "")).await.unwrap();
    let (small, large) = (zeros(4 << 20), zeros(20 << 20));
    store.put(&small, stream(4 << 20)).await.unwrap();
    let error = store.put(&large, stream(20 << 20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    let id = upload();
    store.append(&id, 0, Bytes::from(vec![1; 6 << 20])).await.unwrap();
    let error = store.append(&id, 6 << 20, Bytes::from(vec![1; 6 << 20])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert_eq!(store.received_bytes(&id).await.unwrap(), 6 << 20);
    assert!(store.read(&small.sha256, u64::MAX).await.is_ok());
    store.delete(&small.sha256).await.unwrap();
    store.append(&id, 6 << 20, Bytes::from(vec![1; 4 << 20])).await.unwrap();
    assert_eq!(store.received_bytes(&id).await.unwrap(), 10 << 20);
}
