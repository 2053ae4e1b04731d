//! This file's job is to check that uploads resume where they stopped, whoever was killed.

use crate::on_both_databases;
use crate::rig::{PATIENCE, Rig, reason, sha256};
use bytes::Bytes;
use proto::v1::{self, ArchiveFormat, Platform, Reason, UploadState};
use std::time::Duration;
use testkit::wait_until_async;
use tokio::io::AsyncReadExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic_types::StatusExt as _;

on_both_databases!(
    a_transfer_resumes_after_the_server_was_restarted,
    a_dropped_stream_keeps_what_had_arrived,
    single_chunks_queue_the_upload_with_the_last_byte,
    wrong_offsets_sizes_and_states_are_refused,
    the_same_content_is_one_upload,
    known_content_is_not_sent_again,
);

const MIB: usize = 1 << 20;
/// How many bytes of a stream the server collects before it stores them.
const STORED_AT_ONCE: usize = 4 * MIB;

fn archive(size: usize) -> Bytes {
    (0..size).map(|index| (index * 31 % 251) as u8).collect()
}

fn new_upload(app: &v1::App, bytes: &[u8]) -> v1::CreateUploadRequest {
    v1::CreateUploadRequest {
        parent: app.name.clone(),
        platform: Platform::Android.into(),
        archive_format: ArchiveFormat::Zip.into(),
        archive_size_bytes: bytes.len() as u64,
        archive_sha256: sha256(bytes),
        ..Default::default()
    }
}

async fn begin(rig: &Rig, app: &v1::App, bytes: &[u8]) -> v1::Upload {
    let made = rig.uploads().create_upload(rig.ask(new_upload(app, bytes))).await.unwrap();
    made.into_inner().upload.unwrap()
}

async fn look(rig: &Rig, name: &str) -> v1::Upload {
    let request = rig.ask(v1::GetUploadRequest { name: name.into() });
    rig.uploads().get_upload(request).await.unwrap().into_inner().upload.unwrap()
}

/// The messages that send the archive from an offset on.
fn messages(name: &str, bytes: &Bytes, from: usize) -> Vec<v1::UploadChunksRequest> {
    let mut messages: Vec<_> = bytes[from..]
        .chunks(MIB / 2)
        .map(|data| v1::UploadChunksRequest { data: Bytes::copy_from_slice(data), ..Default::default() })
        .collect();
    messages[0].name = name.into();
    messages[0].offset = from as u64;
    messages
}

async fn send_all(rig: &Rig, name: &str, bytes: &Bytes, from: usize) -> v1::Upload {
    let stream = tokio_stream::iter(messages(name, bytes, from));
    rig.uploads().upload_chunks(rig.ask(stream)).await.unwrap().into_inner().upload.unwrap()
}

async fn assert_stored(rig: &Rig, upload: &v1::Upload, bytes: &Bytes) {
    let id = upload.name.rsplit('/').next().unwrap().parse().unwrap();
    let mut stored = Vec::new();
    rig.store.open_upload(&id).await.unwrap().read_to_end(&mut stored).await.unwrap();
    assert!(stored == *bytes, "{} bytes are stored, and not those that were sent", stored.len());
}

async fn a_transfer_resumes_after_the_server_was_restarted(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let bytes = archive(9 * MIB + 123);
    let upload = begin(&rig, &app, &bytes).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let request = rig.ask(ReceiverStream::new(receiver));
    let mut client = rig.uploads();
    let call = tokio::spawn(async move { client.upload_chunks(request).await });
    for message in messages(&upload.name, &bytes, 0).into_iter().take(11) {
        sender.send(message).await.unwrap();
    }
    wait_until_async(PATIENCE, async || look(&rig, &upload.name).await.received_bytes > 0).await;
    // The sender is still connected and has more to send; the server stops anyway, and in time.
    let rig = {
        let begun = std::time::Instant::now();
        let rig = rig.restart().await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        rig
    };
    drop(sender);
    assert!(call.await.unwrap().is_err());
    let stands = look(&rig, &upload.name).await;
    assert!(stands.received_bytes >= 4 * MIB as u64, "whole parts are kept");
    assert_eq!(begin(&rig, &app, &bytes).await, stands, "the same content finds its upload again");
    let done = send_all(&rig, &upload.name, &bytes, stands.received_bytes as usize).await;
    assert_eq!((done.state(), done.received_bytes), (UploadState::Queued, bytes.len() as u64));
    assert_stored(&rig, &done, &bytes).await;
}

async fn a_dropped_stream_keeps_what_had_arrived(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let bytes = archive(10 * MIB);
    let upload = begin(&rig, &app, &bytes).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let request = rig.ask(ReceiverStream::new(receiver));
    let mut client = rig.uploads();
    let call = tokio::spawn(async move { client.upload_chunks(request).await });
    let mut messages = messages(&upload.name, &bytes, 0).into_iter();
    for message in messages.by_ref().take(STORED_AT_ONCE / (MIB / 2)) {
        sender.send(message).await.unwrap();
    }
    // The first part is stored while the stream is open, so the server is surely reading it.
    wait_until_async(PATIENCE, async || look(&rig, &upload.name).await.received_bytes as usize == STORED_AT_ONCE).await;
    for message in messages.take(6) {
        sender.send(message).await.unwrap();
    }
    // All six have left the queue once a seventh finds room; then the client is killed.
    drop(sender.reserve().await.unwrap());
    call.abort();
    drop(sender);
    wait_until_async(PATIENCE, async || look(&rig, &upload.name).await.received_bytes as usize > STORED_AT_ONCE).await;
    let stands = look(&rig, &upload.name).await.received_bytes as usize;
    let done = send_all(&rig, &upload.name, &bytes, stands).await;
    assert_eq!(done.state(), UploadState::Queued);
    assert_stored(&rig, &done, &bytes).await;
}

fn chunk(name: &str, offset: u64, data: &[u8]) -> v1::UploadChunkRequest {
    v1::UploadChunkRequest { name: name.into(), offset, data: Bytes::copy_from_slice(data) }
}

async fn single_chunks_queue_the_upload_with_the_last_byte(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let bytes = archive(5_000);
    let upload = begin(&rig, &app, &bytes).await;
    let half = rig.uploads().upload_chunk(rig.ask(chunk(&upload.name, 0, &bytes[..2_000]))).await.unwrap();
    assert_eq!(half.into_inner().upload.unwrap().received_bytes, 2_000);
    let before = rig.ready_jobs().await;
    let whole = rig.uploads().upload_chunk(rig.ask(chunk(&upload.name, 2_000, &bytes[2_000..]))).await.unwrap();
    let whole = whole.into_inner().upload.unwrap();
    assert_eq!(whole.state(), UploadState::Queued);
    assert_stored(&rig, &whole, &bytes).await;
    assert_eq!(rig.ready_jobs().await - before, 1);
}

async fn wrong_offsets_sizes_and_states_are_refused(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let bytes = archive(5_000);
    let upload = begin(&rig, &app, &bytes).await;
    rig.uploads().upload_chunk(rig.ask(chunk(&upload.name, 0, &bytes[..1_000]))).await.unwrap();
    let status = rig.uploads().upload_chunk(rig.ask(chunk(&upload.name, 500, b"x"))).await.unwrap_err();
    assert_eq!(proto::error::reason_of(&status), Some(Reason::UploadOffset));
    assert_eq!(status.get_details_error_info().unwrap().metadata["received_bytes"], "1000");
    let too_much = rig.uploads().upload_chunk(rig.ask(chunk(&upload.name, 1_000, &archive(4_001)))).await;
    assert_eq!(reason(too_much), Reason::UploadMismatch);
    let cancel = || rig.ask(v1::CancelUploadRequest { name: upload.name.clone() });
    let cancelled = rig.uploads().cancel_upload(cancel()).await.unwrap().into_inner().upload.unwrap();
    assert_eq!(cancelled.state(), UploadState::Cancelled);
    rig.uploads().cancel_upload(cancel()).await.unwrap();
    let late = rig.uploads().upload_chunk(rig.ask(chunk(&upload.name, 1_000, b"x"))).await;
    assert_eq!(reason(late), Reason::UploadState);
    let huge = v1::CreateUploadRequest { archive_size_bytes: (16 << 20) + 1, ..new_upload(&app, b"x") };
    let status = rig.uploads().create_upload(rig.ask(huge)).await.unwrap_err();
    assert_eq!(proto::error::reason_of(&status), Some(Reason::SizeLimit));
    assert_eq!(status.get_details_error_info().unwrap().metadata["limit"], (16 << 20).to_string());
    let empty = v1::CreateUploadRequest { archive_size_bytes: 0, ..new_upload(&app, b"") };
    assert_eq!(reason(rig.uploads().create_upload(rig.ask(empty)).await), Reason::InvalidField);
}

async fn the_same_content_is_one_upload(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let first = begin(&rig, &app, b"archive").await;
    assert_eq!(begin(&rig, &app, b"archive").await.name, first.name);
    assert_ne!(begin(&rig, &app, b"another").await.name, first.name);
    rig.uploads().cancel_upload(rig.ask(v1::CancelUploadRequest { name: first.name.clone() })).await.unwrap();
    assert_ne!(begin(&rig, &app, b"archive").await.name, first.name, "a cancelled one does not count");
}

async fn known_content_is_not_sent_again(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    rig.bundle(&app, "stored").await;
    let ask = v1::FindMissingBlobsRequest { parent: app.name.clone(), sha256: vec![sha256(b"new"), sha256(b"stored")] };
    let missing = rig.uploads().find_missing_blobs(rig.ask(ask)).await.unwrap().into_inner().missing_sha256;
    assert_eq!(missing, [sha256(b"new")]);
    let known = |content: &[u8], size_bytes| v1::CreateUploadRequest {
        known_files: vec![v1::BundleFile {
            path: "a.png".into(),
            sha256: sha256(content),
            size_bytes,
            ..Default::default()
        }],
        ..new_upload(&app, b"rest")
    };
    rig.uploads().create_upload(rig.ask(known(b"stored", 6))).await.unwrap();
    assert_eq!(reason(rig.uploads().create_upload(rig.ask(known(b"stored", 7))).await), Reason::InvalidField);
    assert_eq!(reason(rig.uploads().create_upload(rig.ask(known(b"new", 3))).await), Reason::InvalidField);
    // Another organization's blobs are not shown.
    let other = rig.organization("other").await;
    let (key, _) = rig.key(&other, db::Role::Owner).await;
    let app = v1::CreateAppRequest { slug: "app".into(), ..Default::default() };
    let app = rig.apps().create_app(crate::rig::with(&key, app)).await.unwrap().into_inner().app.unwrap();
    let ask = v1::FindMissingBlobsRequest { parent: app.name, sha256: vec![sha256(b"stored")] };
    let missing = rig.uploads().find_missing_blobs(crate::rig::with(&key, ask)).await.unwrap().into_inner();
    assert_eq!(missing.missing_sha256, [sha256(b"stored")]);
}
