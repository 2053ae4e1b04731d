//! This file's job is to check that whoever has read a feed up to a number has missed nothing below it.

use crate::tenant::Tenant;
use crate::world::{World, after};
use db::feed::{self, Entry, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn entries(world: &World, t: &Tenant, seq: i64) -> Vec<Entry> {
    let organization = t.scope.organization().clone();
    world.read(move |c| feed::list_after(c, &organization, seq, 1_000)).await
}

async fn head(world: &World, t: &Tenant) -> feed::Head {
    let organization = t.scope.organization().clone();
    world.read(move |c| feed::head(c, &organization)).await
}

async fn touch(world: &World, t: &Tenant, seconds: u64) {
    let channel = t.channel.id.clone();
    world.write(move |tx| db::channels::touch(tx, &channel, after(seconds))).await;
}

db_test! {
    async fn changes_are_told_in_the_feed_of_their_organization_only(world) {
        let (ours, theirs) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let (before, other) = (head(&world, &ours).await, head(&world, &theirs).await);
        let (scope, app, upload) = (ours.scope.clone(), ours.app.id.clone(), ours.upload.id.clone());
        let (staged, mut events) = (upload.clone(), world.db.wakeups().events());
        world.write(move |tx| {
            feed::note_stage(tx, &scope, &app, &staged, "unpacked", after(5));
            Ok(())
        }).await;
        assert!(events.fired());
        touch(&world, &ours, 6).await;
        let told = entries(&world, &ours, before.last_seq).await;
        let expected = [
            (before.last_seq + 1, Subject::Upload(upload), "unpacked", after(5)),
            (before.last_seq + 2, Subject::Channel(ours.channel.name.clone()), "", after(6)),
        ];
        let told: Vec<_> = told.into_iter().map(|entry| (entry.seq, entry.subject, entry.stage, entry.at)).collect();
        assert_eq!(told, expected.map(|(seq, subject, stage, at)| (seq, subject, stage.to_owned(), at)));
        assert_eq!(head(&world, &theirs).await, other);
    }
}

db_test! {
    async fn a_transaction_that_is_undone_tells_nothing_and_leaves_no_gap(world) {
        let t = Tenant::create(&world, "one").await;
        let before = head(&world, &t).await.last_seq;
        let channel = t.channel.id.clone();
        world.refused(move |tx| {
            db::channels::touch(tx, &channel, after(1))?;
            Err::<(), _>(db::Error::StaleLease)
        }).await;
        touch(&world, &t, 2).await;
        let told = entries(&world, &t, before).await;
        assert_eq!(told.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [before + 1]);
    }
}

db_test! {
    async fn a_reader_with_a_cursor_misses_nothing_while_many_write(world) {
        const WRITERS: u64 = 6;
        const WRITES: u64 = 25;
        let t = Arc::new(Tenant::create(&world, "one").await);
        let begun = head(&world, &t).await.last_seq;
        let (world, done) = (Arc::new(world), Arc::new(AtomicBool::new(false)));
        let reader = tokio::spawn({
            let (world, t, done) = (world.clone(), t.clone(), done.clone());
            async move {
                let (mut seq, mut read) = (begun, BTreeMap::new());
                loop {
                    let is_last = done.load(Ordering::SeqCst);
                    for entry in entries(&world, &t, seq).await {
                        seq = entry.seq;
                        read.insert(entry.seq, entry.at);
                    }
                    if is_last {
                        return read;
                    }
                }
            }
        });
        let writers: Vec<_> = (0..WRITERS).map(|writer| {
            let (world, t) = (world.clone(), t.clone());
            tokio::spawn(async move {
                for write in 0..WRITES {
                    touch(&world, &t, 10 + writer * WRITES + write).await;
                }
            })
        }).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        let read = reader.await.unwrap();
        let expected: Vec<i64> = (begun + 1..=begun + (WRITERS * WRITES) as i64).collect();
        assert_eq!(read.keys().copied().collect::<Vec<_>>(), expected);
        let mut times: Vec<_> = read.into_values().collect();
        times.sort();
        assert_eq!(times, (10..10 + WRITERS * WRITES).map(after).collect::<Vec<_>>(), "every write was told once");
    }
}

db_test! {
    async fn a_trimmed_feed_says_up_to_where(world) {
        let t = Tenant::create(&world, "one").await;
        for seconds in [100, 200, 300] {
            touch(&world, &t, seconds).await;
        }
        let last = head(&world, &t).await.last_seq;
        world.write(|tx| feed::trim(tx, after(250), 10)).await;
        let now = head(&world, &t).await;
        assert_eq!((now.last_seq, now.trimmed_seq), (last, last - 1));
        assert_eq!(entries(&world, &t, 0).await.len(), 1);
        assert_eq!(world.read(|c| feed::moved(c, &[])).await, []);
        let (organization, seen) = (t.scope.organization().clone(), last - 1);
        let moved = world.read(move |c| feed::moved(c, &[(organization.clone(), seen), (organization.clone(), last)])).await;
        assert_eq!(moved, [(t.scope.organization().clone(), seen)]);
    }
}
