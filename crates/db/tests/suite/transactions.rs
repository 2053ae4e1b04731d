//! This file's job is to check what a transaction promises.

use crate::tenant::Tenant;
use crate::world::{World, after};
use db::{Config, Db, Error, meta};
use domain::ErrorKind;
use std::sync::mpsc;
use std::time::Duration;
use testkit::wait_until_async;

db_test! {
    async fn an_error_undoes_everything(world) {
        let own = || std::io::Error::other("mine");
        let error = world.refused(move |tx| {
            meta::set(tx, "a", "1")?;
            Err::<(), _>(Error::abort(own()))
        }).await;
        assert_eq!(error.into_aborted::<std::io::Error>().unwrap().to_string(), "mine");
        assert_eq!(world.read(|c| meta::find(c, "a")).await, None);
    }
}

db_test! {
    async fn a_read_sees_one_moment(world) {
        world.write(|tx| meta::set(tx, "a", "before")).await;
        let (in_read, read_started) = mpsc::channel();
        let (written, write_done) = mpsc::channel();
        let reader = {
            let db = world.db.clone();
            tokio::spawn(async move {
                db.read(move |c| {
                    let first = meta::find(c, "a")?;
                    in_read.send(()).unwrap();
                    write_done.recv_timeout(Duration::from_secs(10)).unwrap();
                    Ok((first, meta::find(c, "a")?))
                }).await.unwrap()
            })
        };
        tokio::task::spawn_blocking(move || read_started.recv_timeout(Duration::from_secs(10)).unwrap()).await.unwrap();
        world.write(|tx| meta::set(tx, "a", "after")).await;
        written.send(()).unwrap();
        assert_eq!(reader.await.unwrap(), (Some("before".into()), Some("before".into())));
    }
}

db_test! {
    async fn concurrent_increments_are_not_lost(world) {
        let t = Tenant::create(&world, "one").await;
        let tasks: Vec<_> = (0..40).map(|_| {
            let (db, id) = (world.db.clone(), t.channel.id.clone());
            tokio::spawn(async move { db.write(move |tx| db::channels::touch(tx, &id, after(1))).await })
        }).collect();
        let get = || {
            let t = t.clone();
            world.read(move |c| db::channels::get(c, &t.scope, &t.channel.id))
        };
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let before = t.channel.snapshot_version;
        assert!(get().await.snapshot_version >= before + 40);
    }
}

db_test! {
    async fn a_dropped_write_still_ends_and_frees_its_place(world) {
        let (entered, inside) = mpsc::channel();
        let (leave, left) = mpsc::channel::<()>();
        let writer = {
            let db = world.db.clone();
            tokio::spawn(async move {
                db.write(move |tx| {
                    meta::set(tx, "a", "1")?;
                    entered.send(()).unwrap();
                    left.recv_timeout(Duration::from_secs(10)).unwrap();
                    Ok(())
                }).await
            })
        };
        tokio::task::spawn_blocking(move || inside.recv_timeout(Duration::from_secs(10)).unwrap()).await.unwrap();
        writer.abort();
        assert!(writer.await.unwrap_err().is_cancelled());
        leave.send(()).unwrap();
        let db = world.db.clone();
        wait_until_async(Duration::from_secs(10), || {
            let db = db.clone();
            async move { db.read(|c| meta::find(c, "a")).await.unwrap().is_some() }
        }).await;
        world.write(|tx| meta::set(tx, "b", "2")).await;
    }
}

db_test! {
    async fn a_panic_costs_one_connection_and_nothing_else(world) {
        let error = world.db.write(|tx| -> db::Result<()> {
            meta::set(tx, "a", "1")?;
            panic!("on purpose");
        }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(world.read(|c| meta::find(c, "a")).await, None);
        world.write(|tx| meta::set(tx, "a", "2")).await;
    }
}

db_test! {
    async fn relaxed_and_durable_transactions_mix(world) {
        for i in 0..20 {
            world.db.write_relaxed(move |tx| meta::set(tx, "a", &i.to_string())).await.unwrap();
            world.write(move |tx| meta::set(tx, "b", &i.to_string())).await;
        }
        let both = world.read(|c| Ok((meta::find(c, "a")?, meta::find(c, "b")?))).await;
        assert_eq!(both, (Some("19".into()), Some("19".into())));
    }
}

#[tokio::test]
async fn a_url_that_names_no_database_is_refused() {
    for url in ["", "mysql://x/y", "sqlite:", "/tmp/x.db"] {
        let error = Db::open(&Config::new(url)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_can_write_one_sqlite_file() {
    let world = World::sqlite().await;
    let other = Db::open(&Config::new(&world.url)).await.unwrap();
    let tasks: Vec<_> = (0..60)
        .map(|i| {
            let db = if i % 2 == 0 { world.db.clone() } else { other.clone() };
            tokio::spawn(async move { db.write(move |tx| meta::set(tx, &format!("k{i}"), "v")).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(world.read(|c| meta::find(c, "k59")).await.is_some());
}
