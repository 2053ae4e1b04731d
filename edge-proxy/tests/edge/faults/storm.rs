//! This file's job is to change a channel as fast as nobody should, with old states in between, and to see that no answer goes back.

use crate::control_plane::{ControlPlane, envelope};
use crate::harness::{ANY_PORT, World, register, stored, until, updates};
use crate::process::EdgeProcess;
use crate::samples;
use domain::snapshot::ChannelSnapshot;
use proto::v1::sync_response::Message as Reply;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::fault::{Dice, Guard, Harm, Round, repeat_counted};

const CHANGES: u64 = 100;
/// Fifty changes a second.
const EVERY: Duration = Duration::from_millis(20);
/// One change in so many is followed by an old state, as from a replica that lags behind.
const OLD_STATE_EVERY: u64 = 3;
const CLIENTS: usize = 8;

/// The newest state that the edge says it uses.
fn acknowledged(control_plane: &ControlPlane) -> u64 {
    control_plane.acks().iter().filter_map(|ack| Some(ack.version?.version)).max().unwrap_or(0)
}

/// Releases and takes back, over and over.
async fn change(control_plane: &ControlPlane, states: &[ChannelSnapshot], dice: &mut Dice) {
    let mut tick = tokio::time::interval(EVERY);
    for (index, state) in states.iter().enumerate() {
        tick.tick().await;
        control_plane.publish(state).await;
        if dice.below(OLD_STATE_EVERY) == 0 {
            let old = &states[dice.below(index as u64 + 1) as usize];
            control_plane.say(Reply::Snapshot(envelope(old))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_older_than_what_the_edge_has_acknowledged() {
    repeat_counted("publish and rollback storm", "an older state is refused", async |guard, mut dice| {
        let world = World::new().await;
        let contents = [
            stored(&world, 1, 1, &samples::noise(1_000, 1)).await,
            stored(&world, 1, 1, &samples::noise(1_000, 2)).await,
        ];
        let states: Vec<ChannelSnapshot> = (1..=CHANGES)
            .map(|version| {
                let mut state = contents[version as usize % contents.len()].clone();
                state.version.version = version;
                state
            })
            .collect();
        world.control_plane.publish(&states[0]).await;
        let server = world.control_plane.run(ANY_PORT).await;
        let store = world.store_folder.path().display().to_string();
        let address = format!("http://{}", server.address);
        let mut edge = EdgeProcess::new(world.data.path(), &store, &address, ("edge.newer-only", guard));
        edge.start();
        let bearer = format!("Bearer {}", register(&edge.client, &states[0]).await);
        let (path, is_over) = (updates(&states[0], ""), AtomicBool::new(false));
        let ask = async || {
            let (mut harm, mut asked) = (Harm::default(), 0);
            while !is_over.load(Ordering::SeqCst) {
                let known = acknowledged(&world.control_plane);
                let answer = edge.client.get(&path, &[("authorization", &bearer)]).await;
                let version = (answer.status == 200).then(|| answer.json()["snapshot"]["version"].as_u64().unwrap());
                harm.lost += u64::from(version.is_none());
                harm.wrong += u64::from(version.is_some_and(|version| version < known));
                asked += 1;
            }
            Round { injected: asked, harm }
        };
        let changing = async {
            change(&world.control_plane, &states[1..], &mut dice).await;
            until("the last state is in use", || acknowledged(&world.control_plane) == CHANGES).await;
            is_over.store(true, Ordering::SeqCst);
        };
        let asking = futures::future::join_all((0..CLIENTS).map(|_| ask()));
        let (rounds, ()) = futures::join!(asking, changing);
        let answers: u64 = rounds.iter().map(|round| round.injected).sum();
        println!("{answers} answers during {CHANGES} changes");
        assert!(guard == Guard::Broken || answers > CHANGES, "there was no load");
        Round { injected: CHANGES, harm: rounds.into_iter().map(|round| round.harm).fold(Harm::default(), Harm::and) }
    })
    .await;
}
