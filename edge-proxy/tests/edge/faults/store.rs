//! This file's job is to let the store answer badly, and to see what devices get.

use super::kills::torn;
use crate::client::Client;
use crate::faulty::Faulty;
use crate::harness::{ANY_PORT, World, until};
use crate::process::EdgeProcess;
use crate::samples;
use bytes::Bytes;
use domain::Sha256;
use futures::StreamExt as _;
use std::sync::Arc;
use testkit::fault::{Harm, Round, repeat_counted};

/// Most files of an app are small.
const SMALL_BLOBS: u64 = 60;
const LARGE_BLOBS: u64 = 2;
const MIB: usize = 1 << 20;
/// A device that is told to come later does so.
const TRIES_MAX: usize = 50;
const AT_ONCE: usize = 32;

/// Downloads the blob as a device does that does not give up.
async fn download(client: &Client, expected: &Bytes) -> Harm {
    let path = format!("/v1/blobs/{}", Sha256::of(expected));
    for _ in 0..TRIES_MAX {
        let answer = client.get(&path, &[]).await;
        match answer.body {
            Ok(bytes) if answer.status == 200 => return Harm { lost: 0, wrong: u64::from(bytes != *expected) },
            Ok(_) | Err(_) => {}
        }
    }
    Harm { lost: 1, wrong: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_answers_of_the_store_never_reach_a_device() {
    repeat_counted("wrong answers of the store", "every chunk is compared with its hash", async |guard, mut dice| {
        let world = World::new().await;
        let faulty = Faulty::by_chance(dice).await;
        let small = (0..SMALL_BLOBS).map(|_| samples::noise(100 + dice.below(4_000) as usize, dice.below(u64::MAX)));
        let small: Vec<Bytes> = small.collect();
        let large = (0..LARGE_BLOBS).map(|_| samples::noise(MIB + dice.below(1 << 20) as usize, dice.below(u64::MAX)));
        let blobs: Vec<Bytes> = small.into_iter().chain(large).collect();
        blobs.iter().for_each(|bytes| faulty.has(bytes));
        let snapshot = samples::channel_of(1, 1, &blobs);
        world.control_plane.publish(&snapshot).await;
        let server = world.control_plane.run(ANY_PORT).await;
        let store = format!("s3://bucket?endpoint=http://{}", faulty.address);
        let control_plane = format!("http://{}", server.address);
        let folder = world.data.path();
        let mut edge = EdgeProcess::new(folder, &store, &control_plane, ("edge.chunk-verified", guard));
        edge.process.set("ALOFT_EDGE__PREFETCH", "false");
        edge.start();
        crate::harness::register(&edge.client, &snapshot).await;
        let client = Arc::new(edge.client.clone());
        let downloads = futures::stream::iter(&blobs).map(|bytes| {
            let client = client.clone();
            async move { download(&client, bytes).await }
        });
        let harms: Vec<Harm> = downloads.buffer_unordered(AT_ONCE).collect().await;
        until("nothing is being fetched", || std::fs::read_dir(folder.join("edge/part")).unwrap().count() == 0).await;
        let torn = Harm { lost: 0, wrong: torn(&folder.join("edge/blobs")) };
        Round { injected: faulty.faults(), harm: harms.into_iter().fold(torn, Harm::and) }
    })
    .await;
}
