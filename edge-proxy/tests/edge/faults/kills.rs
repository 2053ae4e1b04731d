//! This file's job is to kill an edge while it fetches blobs and writes snapshots, and to look at what it makes of that.

use crate::client::Client;
use crate::harness::{ANY_PORT, World, register, until};
use crate::process::EdgeProcess;
use crate::samples;
use bytes::Bytes;
use domain::Sha256;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::fault::{Guard, Harm, Round, repeat_counted};

/// Kills of the same edge; its folder remembers all of them.
const KILLS_PER_ROUND: u64 = 10;
/// Two chunks: large enough to be hit in the middle.
const BLOB_BYTES: usize = (1 << 20) + 100_000;
/// Within it a debug build fetches such a blob.
const KILL_WITHIN_MS: u64 = 60;
/// Far longer than a snapshot is on its way.
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Counts files that are not what their names say.
pub fn torn(blobs: &Path) -> u64 {
    let shards = std::fs::read_dir(blobs).into_iter().flatten().flatten();
    let files = shards.flat_map(|shard| std::fs::read_dir(shard.path()).into_iter().flatten().flatten());
    let is_torn = |file: &std::fs::DirEntry| {
        Sha256::of(&std::fs::read(file.path()).unwrap()).to_hex() != file.file_name().to_str().unwrap()
    };
    files.filter(is_torn).count() as u64
}

/// Downloads a blob that may not have been kept, of a snapshot that the edge may not have had: what comes is right all the same.
async fn download(client: &Client, expected: &Bytes) -> Harm {
    let path = format!("/v1/blobs/{}", Sha256::of(expected));
    let until = Instant::now() + DEADLINE;
    loop {
        let answer = client.get(&path, &[]).await;
        match answer.body {
            Ok(bytes) if answer.status == 200 => return Harm { lost: 0, wrong: u64::from(bytes != *expected) },
            // The snapshot comes in a moment.
            Ok(_) if answer.status == 404 && Instant::now() < until => tokio::time::sleep(LOOK_EVERY).await,
            Ok(_) | Err(_) => return Harm { lost: 1, wrong: 0 },
        }
    }
}

/// Counts snapshot files that could not be used.
fn bad_snapshots(edge: &Path) -> u64 {
    let apps = std::fs::read_dir(edge.join("snapshots")).into_iter().flatten().flatten();
    let channels = apps.flat_map(|app| std::fs::read_dir(app.path()).into_iter().flatten().flatten());
    channels.filter(|channel| channel.path().join("bad").exists()).count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_killed_while_it_writes_tears_nothing_and_serves_nothing_wrong() {
    repeat_counted(
        "edge killed while it writes",
        "fills are written apart until they are whole",
        async |guard, mut dice| {
            let world = World::new().await;
            let server = world.control_plane.run(ANY_PORT).await;
            let (folder, store) = (world.data.path(), world.store_folder.path().display().to_string());
            let data = folder.join("edge");
            let control_plane = format!("http://{}", server.address);
            let mut edge = EdgeProcess::new(folder, &store, &control_plane, ("edge.fills-apart", guard));
            if guard == Guard::Broken {
                // One crash in the worst moment: what is left out must show, however fast the machine is.
                edge.process.set("ALOFT_FAILPOINTS", "edge.fills-apart=break,edge.blob-fetched=crash");
            }
            let (mut harm, mut slowest) = (Harm::default(), Duration::ZERO);
            let mut before: Option<Bytes> = None;
            let mut next = samples::noise(BLOB_BYTES, dice.below(u64::MAX));
            for version in 1..=KILLS_PER_ROUND {
                let snapshot = crate::harness::stored(&world, 1, version, &next).await;
                slowest = slowest.max(edge.start());
                if let Some(bytes) = &before {
                    harm = harm.and(download(&edge.client, bytes).await);
                }
                world.control_plane.publish(&snapshot).await;
                if before.is_none() {
                    register(&edge.client, &snapshot).await;
                }
                if guard == Guard::Broken {
                    edge.process.wait_for_end();
                    harm.wrong += torn(&data.join("blobs"));
                    return Round { injected: 1, harm };
                }
                // not to synchronise: the moment of the kill is what is tried.
                tokio::time::sleep(Duration::from_millis(dice.below(KILL_WITHIN_MS))).await;
                edge.process.kill();
                harm.wrong += torn(&data.join("blobs")) + bad_snapshots(&data);
                before = Some(std::mem::replace(&mut next, samples::noise(BLOB_BYTES, dice.below(u64::MAX))));
            }
            println!("ready again after {slowest:?} at most");
            // What was left behind is swept away.
            edge.start();
            until("nothing is left over", || std::fs::read_dir(data.join("part")).unwrap().count() <= 1).await;
            Round { injected: KILLS_PER_ROUND, harm }
        },
    )
    .await;
}
