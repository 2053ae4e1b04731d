//! This file's job is to keep the snapshots readable that edges of other versions left on disk.
//!
//! `tests/vectors/snapshot-file-N` is a file that version N wrote; it stays for ever. `ALOFT_BLESS=1` writes the one that is missing.

use crate::harness::{ANY_PORT, NOBODY, World, until};
use crate::samples;
use std::fs;
use std::path::{Path, PathBuf};

/// The present format.
const NEWEST: u32 = 1;

fn kept(number: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/snapshot-file-{number}"))
}

fn place(data: &Path) -> PathBuf {
    let key = samples::key(1);
    data.join("snapshots").join(key.app.as_str()).join(key.channel.as_str()).join("current")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_writes_what_its_version_writes() {
    let world = World::new().await;
    let snapshot = samples::channel(1, 7, b"launch", b"asset");
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(ANY_PORT).await;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    edge.token(&snapshot).await;
    let written = fs::read(place(world.data.path())).unwrap();
    if !kept(NEWEST).exists() && std::env::var_os("ALOFT_BLESS").is_some() {
        fs::write(kept(NEWEST), &written).unwrap();
    }
    assert!(written == fs::read(kept(NEWEST)).unwrap(), "older edges could not go back to this file");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_answers_from_what_any_version_left() {
    for number in 1..=NEWEST {
        let (world, bytes) = (World::new().await, fs::read(kept(number)).unwrap());
        fs::create_dir_all(place(world.data.path()).parent().unwrap()).unwrap();
        fs::write(place(world.data.path()), &bytes).unwrap();
        let snapshot = samples::channel(1, 7, b"launch", b"asset");
        let edge = world.start(world.config(NOBODY)).await;
        let token = edge.token(&snapshot).await;
        let answer = edge.check(&snapshot, &token, "").await;
        assert_eq!((answer.status.as_u16(), answer.json()["update"]["label"].as_str()), (200, Some("v7")), "{number}");
        assert_eq!(edge.metric("aloft_edge_snapshot_files_bad_total"), 0);
        edge.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_format_that_is_not_known_is_set_aside() {
    let (world, mut bytes) = (World::new().await, fs::read(kept(NEWEST)).unwrap());
    bytes[7] = b'9';
    fs::create_dir_all(place(world.data.path()).parent().unwrap()).unwrap();
    fs::write(place(world.data.path()), &bytes).unwrap();
    let edge = world.start(world.config(NOBODY)).await;
    until("it is noticed", || edge.metric("aloft_edge_snapshot_files_bad_total") == 1).await;
    assert_eq!(edge.register(&samples::empty(1, 7), "a-nonce-with-enough-characters").await.status.as_u16(), 503);
    assert!(place(world.data.path()).with_file_name("bad").is_file());
    edge.stop().await;
}
