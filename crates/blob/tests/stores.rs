//! This file's job is to check that both kinds of store keep the same promises.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use blob::{Error, PART_MAX_BYTES, Part, Put, Store};
use bytes::Bytes;
use domain::bundle::Blob;
use domain::id::UploadId;
use domain::{ErrorKind, Sha256, Timestamp};
use futures::TryStreamExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tempfile::TempDir;
use testkit::s3::TestS3;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

/// Where a test's store lies, so that the test can look behind it.
enum Place {
    Disk(TempDir),
    S3(TestS3),
}

impl Place {
    fn disk() -> Self {
        Self::Disk(tempfile::tempdir().unwrap())
    }

    fn s3() -> Self {
        Self::S3(TestS3::start())
    }

    fn config(&self) -> runtime::config::Store {
        match self {
            Self::Disk(folder) => config(&folder.path().join("store").display().to_string(), "", ""),
            Self::S3(server) => config(&server.url(), TestS3::ACCESS_KEY, TestS3::SECRET_KEY),
        }
    }

    async fn open(&self) -> Store {
        Store::open(&self.config()).await.unwrap()
    }

    /// Every file that the store left anywhere, the server's own bookkeeping apart.
    fn files(&self) -> Vec<PathBuf> {
        let root = match self {
            Self::Disk(folder) => folder.path().to_owned(),
            Self::S3(server) => server.bucket_folder(),
        };
        let (mut folders, mut files) = (vec![root], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
            }
        }
        files
    }
}

fn config(url: &str, access_key: &str, secret_key: &str) -> runtime::config::Store {
    runtime::config::Store { url: url.to_owned(), access_key: access_key.into(), secret_key: secret_key.into() }
}

/// Bytes that differ everywhere, so that a shifted or swapped piece is noticed.
fn bytes(seed: u8, size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

fn upload(number: i64) -> UploadId {
    UploadId::from_parts(Timestamp::from_us(number * 1_000_000), [number as u8; 10])
}

/// Gives some bytes, then fails or waits for ever.
struct Broken {
    left: usize,
    hang: bool,
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.left == 0 {
            return if self.hang { Poll::Pending } else { Poll::Ready(Err(std::io::Error::other("cable cut"))) };
        }
        let count = self.left.min(buffer.remaining());
        buffer.put_slice(&vec![1; count]);
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

/// Runs every check below against both kinds of store.
macro_rules! on_both {
    ($($check:ident),+ $(,)?) => {
        mod disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $check() { super::$check(super::Place::disk()).await; })+
        }
        mod s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $check() { super::$check(super::Place::s3()).await; })+
        }
    };
}

on_both!(
    what_was_put_is_read_back,
    wrong_bytes_are_refused_and_leave_nothing,
    a_put_that_breaks_off_leaves_nothing,
    the_same_content_put_at_once_is_stored_once,
    absent_blobs_are_not_found,
    corrupted_blobs_are_noticed,
    blobs_are_listed_in_order_and_in_pages,
    uploads_resume_where_they_stopped,
    uploads_are_listed_and_removed,
    a_check_succeeds,
);

async fn what_was_put_is_read_back(place: Place) {
    let store = place.open().await;
    for size_bytes in [0, 1, 1 << 20, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 20 << 20] {
        let content = bytes(size_bytes as u8, size_bytes);
        let blob = Blob::of(&content);
        assert_eq!(store.put(&blob, content.as_slice()).await.unwrap(), Put::Stored, "{size_bytes}");
        assert_eq!(store.put(&blob, content.as_slice()).await.unwrap(), Put::Present, "{size_bytes}");
        assert_eq!(store.stat(&blob.sha256).await.unwrap(), size_bytes as u64);
        assert!(store.read(&blob.sha256, u64::MAX).await.unwrap() == content, "{size_bytes}");
        let streamed: Vec<Bytes> = store.stream(blob.sha256, 0..size_bytes as u64).try_collect().await.unwrap();
        assert!(streamed.concat() == content, "{size_bytes}");
    }
    let content = bytes(3, 3 << 20);
    let blob = Blob::of(&content);
    store.put(&blob, content.as_slice()).await.unwrap();
    for range in [0..1, 5..70_000, (1 << 20)..(2 << 20), (3 << 20) - 1..3 << 20, 9..9] {
        let read = store.get_range(&blob.sha256, range.start as u64..range.end as u64).await.unwrap();
        assert!(read == content[range.clone()], "{range:?}");
    }
    let beyond = store.get_range(&blob.sha256, (3 << 20) - 10..(3 << 20) + 1).await.unwrap_err();
    assert!(matches!(beyond, Error::Short { .. }), "{beyond}");
    assert!(matches!(store.get_range(&blob.sha256, 0..1 << 30).await, Err(Error::TooLarge { .. })));
    assert!(matches!(store.read(&blob.sha256, 1_000).await, Err(Error::TooLarge { .. })));
    store.delete(&blob.sha256).await.unwrap();
    assert_eq!(store.size_bytes(&blob.sha256).await.unwrap(), None);
    store.delete(&blob.sha256).await.unwrap();
}

async fn wrong_bytes_are_refused_and_leave_nothing(place: Place) {
    let store = place.open().await;
    for size_bytes in [1_000, 20 << 20] {
        let content = bytes(1, size_bytes);
        let blob = Blob::of(&content);
        let mut flipped = content.clone();
        flipped[size_bytes - 1] ^= 1;
        let longer = [&content[..], b"x"].concat();
        for wrong in [&flipped[..], &longer, &content[..size_bytes - 1], b""] {
            let error = store.put(&blob, wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
            assert_eq!(store.size_bytes(&blob.sha256).await.unwrap(), None);
        }
    }
    let left: Vec<PathBuf> =
        place.files().into_iter().filter(|file| !file.to_string_lossy().contains("upload")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

async fn a_put_that_breaks_off_leaves_nothing(place: Place) {
    let store = place.open().await;
    let blob = Blob::of(&vec![1; 20 << 20]);
    let error = store.put(&blob, Broken { left: 12 << 20, hang: false }).await.unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error}");
    let hanging = store.put(&blob, Broken { left: 12 << 20, hang: true });
    assert!(tokio::time::timeout(std::time::Duration::from_millis(500), hanging).await.is_err());
    assert_eq!(store.size_bytes(&blob.sha256).await.unwrap(), None);
    assert_eq!(store.list(None, 10).await.unwrap(), []);
}

async fn the_same_content_put_at_once_is_stored_once(place: Place) {
    let store = place.open().await;
    let content = Bytes::from(bytes(2, 9 << 20));
    let blob = Blob::of(&content);
    let puts = (0..8).map(|_| {
        let (store, content, blob) = (store.clone(), content.clone(), blob.clone());
        tokio::spawn(async move { store.put(&blob, content.as_ref()).await })
    });
    for put in futures::future::join_all(puts).await {
        put.unwrap().unwrap();
    }
    assert!(store.read(&blob.sha256, u64::MAX).await.unwrap() == content);
    assert_eq!(store.list(None, 10).await.unwrap().len(), 1);
}

async fn absent_blobs_are_not_found(place: Place) {
    let store = place.open().await;
    let absent = Sha256::of(b"absent");
    assert_eq!(store.size_bytes(&absent).await.unwrap(), None);
    for error in [
        store.stat(&absent).await.unwrap_err(),
        store.get_range(&absent, 0..10).await.unwrap_err(),
        store.read(&absent, 10).await.unwrap_err(),
        store.stream(absent, 0..10).try_next().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    assert_eq!(store.list(None, 10).await.unwrap(), []);
    assert_eq!(store.received_bytes(&upload(1)).await.unwrap(), 0);
}

async fn corrupted_blobs_are_noticed(place: Place) {
    let store = place.open().await;
    let content = bytes(4, 5_000);
    let blob = Blob::of(&content);
    store.put(&blob, content.as_slice()).await.unwrap();
    let name = blob.sha256.to_hex();
    let file = place.files().into_iter().find(|file| file.ends_with(&name)).unwrap();
    let mut corrupt = content.clone();
    corrupt[77] ^= 4;
    std::fs::write(&file, &corrupt).unwrap();
    assert_eq!(store.read(&blob.sha256, u64::MAX).await.unwrap_err().kind(), ErrorKind::DataLoss);
    // A blob of another size is not taken for the right one.
    std::fs::write(&file, &corrupt[..100]).unwrap();
    assert_eq!(store.put(&blob, content.as_slice()).await.unwrap(), Put::Stored);
    assert!(store.read(&blob.sha256, u64::MAX).await.unwrap() == content);
}

async fn blobs_are_listed_in_order_and_in_pages(place: Place) {
    let store = place.open().await;
    let mut expected = Vec::new();
    for number in 0..25_u8 {
        let content = vec![number; usize::from(number) + 1];
        let blob = Blob::of(&content);
        store.put(&blob, content.as_slice()).await.unwrap();
        expected.push((blob.sha256, blob.size_bytes));
    }
    expected.sort_unstable();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(after.as_ref(), 7).await.unwrap();
        found.extend(page.iter().map(|listed| (listed.sha256, listed.size_bytes)));
        match page.last() {
            Some(last) if page.len() == 7 => after = Some(last.sha256),
            Some(_) | None => break,
        }
    }
    assert_eq!(found, expected);
}

async fn uploads_resume_where_they_stopped(place: Place) {
    let content = bytes(5, 20_000_000);
    let id = upload(1);
    let parts: Vec<&[u8]> = content.chunks(PART_MAX_BYTES).collect();
    {
        let store = place.open().await;
        store.append(&id, 0, Bytes::copy_from_slice(parts[0])).await.unwrap();
        assert_eq!(store.received_bytes(&id).await.unwrap(), PART_MAX_BYTES as u64);
        // The process dies while the second part is on its way.
        let second = store.append(&id, PART_MAX_BYTES as u64, Bytes::copy_from_slice(parts[1]));
        let _died = tokio::time::timeout(std::time::Duration::from_micros(50), second).await;
    }
    let store = place.open().await;
    let received = store.received_bytes(&id).await.unwrap();
    assert!(received == PART_MAX_BYTES as u64 || received == 2 * PART_MAX_BYTES as u64, "{received}");
    // A sender may repeat what was lost, and cut it differently.
    let mut offset = PART_MAX_BYTES as u64;
    for piece in content[PART_MAX_BYTES..].chunks(3_000_000) {
        store.append(&id, offset, Bytes::copy_from_slice(piece)).await.unwrap();
        store.append(&id, offset, Bytes::copy_from_slice(piece)).await.unwrap();
        offset += piece.len() as u64;
    }
    assert_eq!(store.received_bytes(&id).await.unwrap(), content.len() as u64);
    assert_eq!(store.parts(&id).await.unwrap()[0], Part { offset: 0, size_bytes: PART_MAX_BYTES as u64 });
    let mut read = Vec::new();
    store.open_upload(&id).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert!(read == content);
    let large = store.append(&id, 0, Bytes::from(vec![0; PART_MAX_BYTES + 1])).await.unwrap_err();
    assert_eq!(large.kind(), ErrorKind::InvalidArgument);
}

async fn uploads_are_listed_and_removed(place: Place) {
    let store = place.open().await;
    for number in 1..=5 {
        for offset in [0, 10, 20] {
            store.append(&upload(number), offset, Bytes::from_static(b"0123456789")).await.unwrap();
        }
    }
    let first = store.list_uploads(None, 3).await.unwrap();
    assert_eq!(first, [upload(1), upload(2), upload(3)]);
    assert_eq!(store.list_uploads(first.last(), 3).await.unwrap(), [upload(4), upload(5)]);
    store.remove_upload(&upload(2)).await.unwrap();
    store.remove_upload(&upload(2)).await.unwrap();
    assert_eq!(store.received_bytes(&upload(2)).await.unwrap(), 0);
    assert_eq!(store.list_uploads(None, 10).await.unwrap(), [upload(1), upload(3), upload(4), upload(5)]);
    assert_eq!(store.received_bytes(&upload(3)).await.unwrap(), 30);
}

async fn a_check_succeeds(place: Place) {
    place.open().await.check().await.unwrap();
}
