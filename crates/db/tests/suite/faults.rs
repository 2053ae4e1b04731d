//! This file's job is to check that a database which goes away and comes back loses nothing.

use crate::world::World;
use db::{Config, Db, meta};
use domain::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_idle_connections_are_replaced_unseen() {
    let world = World::postgres().await;
    let reads: Vec<_> = (0..8).map(|_| world.read(meta::epoch)).collect();
    for read in reads {
        read.await;
    }
    world.server.as_ref().unwrap().kill_connections();
    for _ in 0..20 {
        assert_eq!(world.read(meta::epoch).await, 1);
    }
    world.server.as_ref().unwrap().kill_connections();
    world.write(|tx| meta::set(tx, "a", "1")).await;
    assert_eq!(world.read(|c| meta::find(c, "a")).await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_loses_its_connection_runs_again_and_counts_once() {
    let world = World::postgres().await;
    let runs = Arc::new(AtomicU32::new(0));
    let (counted, server) = (runs.clone(), Arc::new(Mutex::new(world.server)));
    let killer = server.clone();
    world
        .db
        .write(move |tx| {
            let count: u32 = meta::find(tx, "count")?.map_or(0, |text| text.parse().unwrap());
            meta::set(tx, "count", &(count + 1).to_string())?;
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                killer.lock().unwrap().as_ref().unwrap().kill_connections();
            }
            meta::set(tx, "done", "yes")
        })
        .await
        .unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    let count = world.db.read(|c| meta::find(c, "count")).await.unwrap();
    assert_eq!(count.as_deref(), Some("1"));
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_come_back_after_the_connection_of_the_listener_was_killed() {
    let world = World::postgres().await;
    let other = Db::open(&Config::new(&world.url)).await.unwrap();
    crate::wakeups::enqueue_until_heard(&world, &other).await;
    let mut changes = other.wakeups().changes();
    world.server.as_ref().unwrap().kill_connections();
    // Once it is connected again it wakes everybody, because it may have missed something.
    tokio::time::timeout(Duration::from_secs(10), changes.wait()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_unavailable_and_can_be_waited_for() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = Config::new(format!("postgres://postgres@127.0.0.1:{port}/x"));
    let error = Db::open(&config).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let waiting = tokio::spawn(async move {
        Db::open_waiting(&config, |message| heard.lock().unwrap().push(message.to_owned())).await
    });
    testkit::wait_until_async(Duration::from_secs(10), || {
        let told = told.lock().unwrap().len();
        async move { told >= 2 }
    })
    .await;
    waiting.abort();
    let messages = told.lock().unwrap();
    assert!(
        messages[0].contains("waiting for the database") && messages[0].contains(&port.to_string()),
        "{messages:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_for_good_is_unavailable() {
    let mut world = World::postgres().await;
    world.read(meta::epoch).await;
    drop(world.server.take());
    let error = world.db.write(|tx| meta::set(tx, "a", "1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.to_string(), "the database is unavailable");
}
