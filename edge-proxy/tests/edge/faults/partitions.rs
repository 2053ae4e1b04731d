//! This file's job is to part an edge from its control plane without either of them being told, and to see how soon they are together again.

use crate::harness::{ANY_PORT, World, register, stored, until, updates};
use crate::process::EdgeProcess;
use crate::samples;
use std::time::{Duration, Instant};
use testkit::door::Door;
use testkit::fault::{Harm, Round, repeat_counted};

/// What the design promises after the network is whole again.
const TOGETHER_WITHIN: Duration = Duration::from_secs(30);
/// Checks while they are parted.
const CHECKS: u64 = 200;
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_answers_while_parted_and_catches_up_when_the_network_is_whole() {
    repeat_counted("half-open stream to the control plane", "silence is noticed", async |guard, _| {
        let world = World::new().await;
        let first = stored(&world, 1, 1, &samples::noise(1_000, 1)).await;
        let next = stored(&world, 1, 2, &samples::noise(1_000, 2)).await;
        world.control_plane.publish(&first).await;
        let server = world.control_plane.run(ANY_PORT).await;
        let door = Door::before(&server.address.to_string(), None);
        let store = world.store_folder.path().display().to_string();
        let address = format!("http://{}", door.address());
        let mut edge = EdgeProcess::new(world.data.path(), &store, &address, ("edge.silence-noticed", guard));
        edge.start();
        let bearer = format!("Bearer {}", register(&edge.client, &first).await);
        until("the first state is acknowledged", || !world.control_plane.acks().is_empty()).await;
        let path = updates(&first, "");
        let version = async || {
            let answer = edge.client.get(&path, &[("authorization", &bearer)]).await;
            (answer.status == 200).then(|| answer.json()["snapshot"]["version"].as_u64().unwrap())
        };
        door.lose();
        world.control_plane.publish(&next).await;
        let mut harm = Harm::default();
        for _ in 0..CHECKS {
            harm.wrong += u64::from(version().await != Some(1));
        }
        door.open();
        let begun = Instant::now();
        while version().await != Some(2) {
            if begun.elapsed() > TOGETHER_WITHIN {
                harm.lost += 1;
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        println!("{:?} after the network was whole again, lost: {}", begun.elapsed(), harm.lost);
        Round { injected: 1, harm }
    })
    .await;
}
