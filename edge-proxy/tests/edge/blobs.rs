//! This file's job is to test that devices get exactly the bytes that releases name, whatever disk and store do.

use crate::harness::{NOBODY, World, stored, until};
use crate::samples;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Sha256;
use http::Method;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use testkit::disk::SmallDisk;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MIB: usize = 1 << 20;

/// Makes a world whose channel has a launch file of this size in the store.
async fn world_with(size_bytes: usize) -> (World, domain::snapshot::ChannelSnapshot, Bytes, Sha256) {
    let world = World::new().await;
    let launch = samples::noise(size_bytes, 42);
    let snapshot = stored(&world, 1, 1, &launch).await;
    let hash = samples::launch_hash(&snapshot);
    (world, snapshot, launch, hash)
}

async fn serve(
    world: &World,
    snapshot: &domain::snapshot::ChannelSnapshot,
    change: impl FnOnce(&mut edge_proxy::Config),
) -> (crate::control_plane::Running, crate::harness::RunningEdge) {
    world.control_plane.publish(snapshot).await;
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    change(&mut config);
    let edge = world.start(config).await;
    edge.token(snapshot).await;
    (server, edge)
}

fn flip_a_byte(path: &std::path::Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 1;
    let mut permissions = fs::metadata(path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(path, permissions).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_comes_whole_with_all_its_headers_and_is_kept() {
    let (world, snapshot, launch, hash) = world_with(3 * MIB + 17).await;
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let answer = edge.blob(&hash, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_ref().unwrap()), (200, &launch));
    assert_eq!(answer.header("etag"), format!("\"{hash}\""));
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-length"), launch.len().to_string());
    assert!(answer.header("repr-digest").starts_with("sha-256=:"));
    until("the blob is kept", || world.edge_path(&hash).exists()).await;
    let etag = format!("\"{hash}\"");
    let unchanged = edge.blob(&hash, &[("if-none-match", &etag)]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.unwrap().len()), (304, 0));
    let head = edge.client.send(Method::HEAD, &format!("/v1/blobs/{hash}"), &[], Bytes::new()).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, launch.len().to_string().as_str()));
    assert!(head.body.unwrap().is_empty());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_range_is_cut_from_the_right_place() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB + 100).await;
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let size = launch.len();
    for (header, range) in [
        ("bytes=0-0".to_owned(), 0..1),
        (format!("bytes={}-{}", MIB - 1, MIB), MIB - 1..MIB + 1),
        (format!("bytes={}-", 2 * MIB), 2 * MIB..size),
        ("bytes=-1".to_owned(), size - 1..size),
        ("bytes=5-99999999999".to_owned(), 5..size),
    ] {
        let answer = edge.blob(&hash, &[("range", &header)]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_ref().unwrap().len()), (206, range.len()), "{header}");
        assert_eq!(answer.body.as_ref().unwrap(), &launch[range.clone()], "{header}");
        let expected = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        assert_eq!(answer.header("content-range"), expected);
    }
    let beyond = edge.blob(&hash, &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, format!("bytes */{size}").as_str()));
    let etag = format!("\"{hash}\"");
    let matching = [("range", "bytes=0-1"), ("if-range", etag.as_str())];
    assert_eq!(edge.blob(&hash, &matching).await.status, 206);
    assert_eq!(edge.blob(&hash, &[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_that_no_release_names_never_reach_the_store() {
    let (world, snapshot, _, _) = world_with(1_000).await;
    let secret = world.store(b"in the store, but in no release").await;
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    assert_eq!(edge.blob(&secret.sha256, &[]).await.status, 404);
    for bad in ["", "x", "../../etc/passwd", &secret.sha256.to_hex().to_uppercase(), &format!("{}/", secret.sha256)] {
        let status = edge.client.get(&format!("/v1/blobs/{bad}"), &[]).await.status;
        assert_eq!(status, 400, "{bad}");
    }
    assert_eq!(edge.metric("aloft_edge_blob_requests_total{source=\"origin\"}"), 0);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_devices_at_once_are_one_fill() {
    let (world, snapshot, launch, hash) = world_with(5 * MIB).await;
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let (path, client) = (format!("/v1/blobs/{hash}"), edge.client.clone());
    let gets = (0..100).map(|_| client.get(&path, &[]));
    for answer in futures::future::join_all(gets).await {
        assert_eq!((answer.status.as_u16(), answer.body.unwrap()), (200, launch.clone()));
    }
    assert_eq!(edge.metric("aloft_edge_blob_requests_total{source=\"origin\"}"), 1);
    assert_eq!(edge.metric("aloft_edge_blob_bytes_total{way=\"fetched\"}"), launch.len() as u64);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_goes_on_when_the_device_hangs_up() {
    let (world, snapshot, launch, hash) = world_with(48 * MIB).await;
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let mut stream = tokio::net::TcpStream::connect(edge.client.address).await.unwrap();
    stream.write_all(format!("GET /v1/blobs/{hash} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream.read_u8().await.unwrap();
    drop(stream);
    let was_early = !world.edge_path(&hash).exists();
    until("the blob is kept all the same", || world.edge_path(&hash).exists()).await;
    assert!(was_early, "the fill was over before the device hung up: make the blob larger");
    assert_eq!(edge.metric("aloft_edge_blob_requests_total{source=\"origin\"}"), 1);
    assert_eq!(edge.metric("aloft_edge_blob_bytes_total{way=\"fetched\"}"), launch.len() as u64);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_rotted_on_the_edges_disk_are_replaced_before_anybody_sees_them() {
    for (size, offset) in [(3 * MIB + 5, 2 * MIB + 7), (1_000, 500)] {
        let (world, snapshot, launch, hash) = world_with(size).await;
        let (server, edge) = serve(&world, &snapshot, |_| ()).await;
        assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
        until("the blob is kept", || world.edge_path(&hash).exists()).await;
        edge.stop().await;
        flip_a_byte(&world.edge_path(&hash), offset);
        let edge = world.start(world.config(&format!("http://{}", server.address))).await;
        assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
        assert_eq!(edge.metric("aloft_edge_blob_verify_failures_total{where=\"disk\"}"), 1);
        assert!(world.data.path().join("quarantine").join(hash.to_hex()).exists());
        until("a good copy is kept", || fs::read(world.edge_path(&hash)).is_ok_and(|bytes| bytes == launch)).await;
        edge.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_size_is_replaced() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB).await;
    let (server, edge) = serve(&world, &snapshot, |_| ()).await;
    edge.stop().await;
    fs::create_dir_all(world.edge_path(&hash).parent().unwrap()).unwrap();
    fs::write(world.edge_path(&hash), &launch[..MIB]).unwrap();
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_from_the_store_are_never_sent() {
    // In the first chunk: an error before any byte.
    for (size, offset) in [(MIB + 10, 5), (1_000, 5)] {
        let (world, snapshot, _, hash) = world_with(size).await;
        flip_a_byte(&world.store_path(&hash), offset);
        let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
        let answer = edge.blob(&hash, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["reason"].as_str()), (502, Some("blob-corrupt")));
        assert!(!world.edge_path(&hash).exists());
        edge.stop().await;
    }
    // In a later chunk: the answer breaks off before it.
    let (world, snapshot, launch, hash) = world_with(3 * MIB).await;
    flip_a_byte(&world.store_path(&hash), 2 * MIB + 1);
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let good = edge.blob(&hash, &[("range", "bytes=0-1048575")]).await;
    assert!(good.status == 502 || good.body.unwrap() == launch[..MIB]);
    let mut stream = tokio::net::TcpStream::connect(edge.client.address).await.unwrap();
    let request = format!("GET /v1/blobs/{hash} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // An error (connection reset) is as good an end as any.
    let _ = stream.read_to_end(&mut bytes).await;
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let is_refusal = bytes.starts_with(b"HTTP/1.1 502");
    assert!(is_refusal || launch[..2 * MIB].starts_with(&bytes[head..]), "{} bytes", bytes.len() - head);
    assert!(!world.edge_path(&hash).exists());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_the_store_lacks_is_an_error_of_the_gateway_and_heals() {
    let (world, snapshot, launch, hash) = world_with(1_000).await;
    fs::remove_file(world.store_path(&hash)).unwrap();
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let answer = edge.blob(&hash, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["reason"].as_str()), (502, Some("blob-missing")));
    world.store(&launch).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_store_and_control_plane_dead_kept_blobs_are_served_after_a_restart() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB + 1).await;
    let (server, edge) = serve(&world, &snapshot, |_| ()).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    until("the blob is kept", || world.edge_path(&hash).exists()).await;
    edge.stop().await;
    server.kill().await;
    fs::remove_dir_all(world.store_folder.path().join("blobs")).unwrap();
    let edge = world.start(world.config(NOBODY)).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_blobs_pass_through_and_the_operator_is_told() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB).await;
    let (_server, edge) = serve(&world, &snapshot, |config| config.disk_reserve_bytes = u64::MAX / 2).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    assert!(!world.edge_path(&hash).exists());
    let status = edge.admin.get("/statusz", &[]).await.json();
    let parts = status["parts"].as_array().unwrap().clone();
    let blobs = parts.into_iter().find(|part| part["name"] == "edge blobs").unwrap();
    assert_eq!(blobs["state"], "degraded");
    edge.stop().await;
    // The disk has room again: the next miss is kept.
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    until("the blob is kept", || world.edge_path(&hash).exists()).await;
    edge.stop().await;
}

/// Returns what an operator sees of the blobs.
async fn state_of_blobs(edge: &crate::harness::RunningEdge) -> String {
    let status = edge.admin.get("/statusz", &[]).await.json();
    let parts = status["parts"].as_array().unwrap().clone();
    let blobs = parts.into_iter().find(|part| part["name"] == "edge blobs").unwrap();
    blobs["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_no_download_and_blobs_are_kept_again_without_a_restart() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB).await;
    let disk = SmallDisk::mount(16 << 20);
    let kept = disk.path().join("blobs").join(&hash.to_hex()[..2]).join(hash.to_hex());
    let (_server, edge) = serve(&world, &snapshot, |config| {
        config.data_folder = disk.path().to_owned();
        config.disk_reserve_bytes = 4 << 20;
    })
    .await;
    disk.fill(5 << 20);
    for _ in 0..3 {
        assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    }
    assert_eq!((state_of_blobs(&edge).await.as_str(), kept.exists()), ("degraded", false));
    assert_eq!(edge.metric("aloft_edge_blob_disk_failing"), 1);
    disk.clear();
    until("the disk is trusted again", || edge.metric("aloft_edge_blob_disk_failing") == 0).await;
    assert_eq!(state_of_blobs(&edge).await, "ready");
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    until("the blob is kept again", || kept.exists()).await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_writes_fails_no_download() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB).await;
    let disk = SmallDisk::mount(16 << 20);
    for folder in ["blobs", "part"] {
        fs::create_dir(disk.path().join(folder)).unwrap();
        symlink(disk.path().join(folder), world.data.path().join(folder)).unwrap();
    }
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    disk.forbid_writes(true);
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    assert_eq!(state_of_blobs(&edge).await, "degraded");
    disk.forbid_writes(false);
    until("the disk is trusted again", || edge.metric("aloft_edge_blob_disk_failing") == 0).await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_to_its_end_breaks_one_answer_and_is_replaced() {
    let (world, snapshot, launch, hash) = world_with(2 * MIB).await;
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    until("the blob is kept", || world.edge_path(&hash).exists()).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    File::options().write(true).open(world.edge_path(&hash)).unwrap().set_len(MIB as u64 + 5).unwrap();
    assert!(edge.blob(&hash, &[]).await.body.is_err());
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_rot_while_the_edge_runs_are_found_and_fetched_again() {
    let (world, snapshot, launch, hash) = world_with(3 * MIB + 5).await;
    let (_server, edge) = serve(&world, &snapshot, |config| config.scrub_every_s = 1).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    until("the blob is kept", || world.edge_path(&hash).exists()).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    flip_a_byte(&world.edge_path(&hash), 2 * MIB);
    until("it is noticed", || edge.metric("aloft_edge_blob_verify_failures_total{where=\"scrub\"}") > 0).await;
    until("a good copy is kept", || fs::read(world.edge_path(&hash)).is_ok_and(|bytes| bytes == launch)).await;
    assert!(edge.metric("aloft_edge_blob_bytes_total{way=\"scrubbed\"}") >= launch.len() as u64);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_edge_takes_over_while_the_one_before_ends_a_download() {
    let (world, snapshot, launch, hash) = world_with(24 * MIB).await;
    let (server, edge) = serve(&world, &snapshot, |_| ()).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.listen = edge.client.address;
    config.admin_listen = edge.admin.address;
    config.handover_wait_s = 30;
    let mut download = tokio::net::TcpStream::connect(edge.client.address).await.unwrap();
    let request = format!("GET /v1/blobs/{hash} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    download.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = vec![download.read_u8().await.unwrap()];
    let (before, next) = tokio::join!(tokio::spawn(edge.stop()), async {
        let next = world.start(config).await;
        // The one before still sends, and this one answers already.
        assert_eq!(next.blob(&hash, &[("range", "bytes=0-9")]).await.body.unwrap(), launch[..10]);
        download.read_to_end(&mut bytes).await.unwrap();
        next
    });
    before.unwrap();
    assert!(bytes.ends_with(&launch));
    until("no part is left", || fs::read_dir(world.data.path().join("part")).unwrap().count() == 0).await;
    assert_eq!(next.blob(&hash, &[]).await.body.unwrap(), launch);
    let token = next.token(&snapshot).await;
    assert_eq!(next.check(&snapshot, &token, "").await.status, 200);
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_release_needs_makes_room_and_what_they_need_stays() {
    let (world, snapshot, _, old) = world_with(2 * MIB).await;
    let (_server, edge) = serve(&world, &snapshot, |config| config.blobs_max_bytes = 3 * MIB as u64).await;
    edge.blob(&old, &[]).await.body.unwrap();
    until("the old one is kept", || world.edge_path(&old).exists()).await;
    let launch = samples::noise(2 * MIB + 1, 43);
    let next = stored(&world, 1, 2, &launch).await;
    let new = samples::launch_hash(&next);
    world.control_plane.publish(&next).await;
    until("the next release is in use", || world.control_plane.acks().len() == 2).await;
    assert_eq!(edge.blob(&new, &[]).await.body.unwrap(), launch);
    until("the new one is kept", || world.edge_path(&new).exists()).await;
    assert!(!world.edge_path(&old).exists());
    // Another channel's release does not push out what this one needs.
    let other = samples::noise(2 * MIB + 2, 44);
    let third = stored(&world, 2, 1, &other).await;
    world.control_plane.publish(&third).await;
    edge.token(&third).await;
    assert_eq!(edge.blob(&samples::launch_hash(&third), &[]).await.body.unwrap(), other);
    assert!(world.edge_path(&new).exists());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_releases_are_fetched_before_anybody_asks() {
    let (world, snapshot, _, hash) = world_with(2 * MIB).await;
    let (_server, edge) = serve(&world, &snapshot, |config| config.prefetch = true).await;
    until("the blob is kept", || world.edge_path(&hash).exists()).await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_the_base_gets_the_patch_in_the_place_of_the_launch_file() {
    let (world, mut snapshot, launch, hash) = world_with(300_000).await;
    let (dcz, dcb) = (world.store(b"patch of Zstandard").await, world.store(b"Brotli's patch").await);
    let had = Sha256::of(b"bundle");
    snapshot.deltas = vec![
        samples::delta(&snapshot, had, "dcz", b"patch of Zstandard"),
        samples::delta(&snapshot, had, "dcb", b"Brotli's patch"),
        samples::delta(&snapshot, had, "bsdiff40", b"small"),
    ];
    let (_server, edge) = serve(&world, &snapshot, |_| ()).await;
    let base = format!(":{}:", STANDARD.encode(Sha256::of(b"base").as_bytes()));
    let ask = async |accept: &str, dictionary: &str, more: &[(&str, &str)]| {
        let headers = [&[("accept-encoding", accept), ("available-dictionary", dictionary)], more].concat();
        edge.blob(&hash, &headers).await
    };
    for (accept, coding, blob) in [("gzip, dcz", "dcz", &dcz), ("dcb, dcz", "dcb", &dcb)] {
        let answer = ask(accept, &base, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, coding));
        assert_eq!(answer.header("etag"), format!("\"{}\"", blob.sha256));
        assert_eq!(answer.header("vary"), "accept-encoding, available-dictionary");
        assert_eq!(Sha256::of(answer.body.as_ref().unwrap()), blob.sha256);
        let part = ask(accept, &base, &[("range", "bytes=2-4")]).await;
        assert_eq!((part.status.as_u16(), part.header("content-encoding")), (206, coding));
        assert_eq!(part.body.unwrap(), answer.body.unwrap().slice(2..5));
    }
    for (accept, dictionary) in [("gzip", base.as_str()), ("dcb, dcz", ":AAAA:"), ("dcb;q=0, br", &base)] {
        let answer = ask(accept, dictionary, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_ref().unwrap()), (200, &launch), "{accept}");
        assert_eq!(answer.header("vary"), "accept-encoding, available-dictionary");
        assert_eq!(answer.header("use-as-dictionary"), "match=\"/v1/blobs/*\"");
        assert_eq!(answer.header("content-encoding"), "");
    }
    let patch = edge.blob(&dcz.sha256, &[("accept-encoding", "dcz"), ("available-dictionary", &base)]).await;
    assert_eq!(
        (patch.header("vary"), patch.header("content-encoding")),
        ("", ""),
        "what is no launch file comes as it is"
    );
    edge.stop().await;
}
