//! This file's job is to let everything behind an edge die, and to restart the edge all the same.

use crate::harness::{NOBODY, World, stored, until};
use crate::samples;
use futures::StreamExt as _;
use serde_json::Value;
use testkit::fault::{Guard, Harm, Round, repeat_counted};

const RESTARTS: u64 = 5;
/// Of each start.
const CHECKS: u64 = 400;
/// One in so many checks is followed by a download.
const DOWNLOAD_EVERY: u64 = 50;
const DEVICES: u64 = 8;
const AT_ONCE: usize = 8;

/// Everything but the spread of the next check.
fn said(mut answer: Value) -> Value {
    answer.as_object_mut().map(|fields| fields.remove("next_check_s"));
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn with_everything_dead_behind_it_an_edge_goes_on_answering_across_restarts() {
    repeat_counted(
        "everything behind the edge dead",
        "snapshots and blobs are kept on disk",
        async |guard, mut dice| {
            let (world, launch) = (World::new().await, samples::noise(1_300_000, dice.below(u64::MAX)));
            let snapshot = stored(&world, 1, 1, &launch).await;
            let hash = samples::launch_hash(&snapshot);
            world.control_plane.publish(&snapshot).await;
            let server = world.control_plane.run(crate::harness::ANY_PORT).await;
            let mut config = world.config(&format!("http://{}", server.address));
            config.prefetch = true;
            let edge = world.start(config).await;
            edge.token(&snapshot).await;
            let mut devices = Vec::new();
            for number in 0..DEVICES {
                let answer = edge.register(&snapshot, &format!("nonce-of-the-device-no-{number:04}")).await.json();
                devices.push(answer["token"].as_str().unwrap().to_owned());
            }
            let current = snapshot.bundles.keys().next().unwrap();
            let queries =
                [String::new(), format!("&current={current}"), format!("&current={}", domain::Sha256::of(b"x"))];
            let mut expected = Vec::new();
            for query in &queries {
                expected.push(said(edge.check(&snapshot, &devices[0], query).await.json()));
            }
            until("the blobs are kept", || world.edge_path(&hash).exists()).await;
            edge.stop().await;
            server.kill().await;
            std::fs::remove_dir_all(world.store_folder.path().join("blobs")).unwrap();
            let mut harm = Harm::default();
            let (restarts, checks) = if guard == Guard::Stands { (RESTARTS, CHECKS) } else { (1, DEVICES) };
            for _ in 0..restarts {
                if guard == Guard::Broken {
                    std::fs::remove_dir_all(world.data.path().join("snapshots")).unwrap();
                }
                let edge = world.start(world.config(NOBODY)).await;
                let checks: Vec<(usize, usize, bool)> = (0..checks)
                    .map(|number| {
                        let (device, query) = (dice.below(DEVICES) as usize, dice.below(queries.len() as u64) as usize);
                        (device, query, number % DOWNLOAD_EVERY == 0)
                    })
                    .collect();
                let answers = futures::stream::iter(checks).map(|(device, query, downloads)| {
                    let (edge, snapshot, launch, hash) = (&edge, &snapshot, &launch, &hash);
                    let (token, text, wanted) = (&devices[device], &queries[query], &expected[query]);
                    async move {
                        let answer = edge.check(snapshot, token, text).await;
                        let failed = answer.status != 200;
                        let mut harm = Harm {
                            lost: u64::from(failed),
                            wrong: u64::from(!failed && said(answer.json()) != *wanted),
                        };
                        if downloads {
                            let blob = edge.blob(hash, &[]).await;
                            harm.lost += u64::from(blob.status != 200);
                            harm.wrong += u64::from(blob.status == 200 && blob.body.as_ref() != Ok(launch));
                        }
                        harm
                    }
                });
                let answers: Vec<Harm> = answers.buffer_unordered(AT_ONCE).collect().await;
                harm = answers.into_iter().fold(harm, Harm::and);
                edge.stop().await;
            }
            Round { injected: restarts * checks, harm }
        },
    )
    .await;
}
