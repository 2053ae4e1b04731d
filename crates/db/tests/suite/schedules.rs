//! This file's job is to check that work which comes round again is done by one at a time.

use crate::queue::worker;
use crate::world::{World, after};
use db::schedules::{self, Turn};
use db::{Error, Result};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

async fn take(world: &World, number: u8, seconds: u64) -> Option<Turn> {
    world.write(move |tx| schedules::take(tx, "sweep", &worker(number), LEASE, after(seconds))).await
}

async fn finish(world: &World, turn: &Turn, error: Option<&'static str>, due_s: u64, now_s: u64) -> Result<()> {
    let turn = turn.clone();
    world.db.write(move |tx| schedules::finish(tx, &turn, error, after(due_s), after(now_s))).await
}

db_test! {
    async fn a_turn_belongs_to_one_and_comes_round_again(world) {
        let turn = take(&world, 1, 0).await.expect("new work is due at once");
        assert_eq!(take(&world, 2, 59).await, None, "somebody is at it");
        finish(&world, &turn, None, 100, 10).await.unwrap();
        assert_eq!(take(&world, 2, 99).await, None, "not due yet");
        let second = take(&world, 2, 100).await.expect("due again");
        finish(&world, &second, Some("away"), 130, 101).await.unwrap();
        let row = world.read(schedules::list).await.pop().unwrap();
        assert_eq!((row.done_at, row.error.as_deref(), row.due_at, row.worker), (Some(after(10)), Some("away"), after(130), None));
    }
}

db_test! {
    async fn a_lost_holder_is_followed_and_cannot_end_the_turn_of_another(world) {
        let lost = take(&world, 1, 0).await.unwrap();
        let turn = take(&world, 2, 60).await.expect("the lease has lapsed");
        assert!(matches!(finish(&world, &lost, None, 500, 61).await, Err(Error::StaleLease)));
        finish(&world, &turn, None, 500, 62).await.unwrap();
        assert!(matches!(finish(&world, &turn, None, 900, 63).await, Err(Error::StaleLease)), "only once");
    }
}

db_test! {
    async fn of_many_who_want_a_turn_one_gets_it(world) {
        let world = std::sync::Arc::new(world);
        let tasks: Vec<_> = (0..8_u8).map(|number| {
            let world = world.clone();
            tokio::spawn(async move { take(&world, number, 0).await })
        }).collect();
        let mut turns = 0;
        for task in tasks {
            turns += usize::from(task.await.unwrap().is_some());
        }
        assert_eq!(turns, 1);
    }
}
