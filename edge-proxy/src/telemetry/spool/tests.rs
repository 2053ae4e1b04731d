//! This file's job is to test that the spool loses nothing it acknowledged, within its bound.

use super::*;
use domain::Timestamp;
use domain::id::{AppId, DeviceId, EventId};
use runtime::observe::Metrics;

fn event(number: u64) -> Event {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let now = Timestamp::from_us(1_790_000_000_000_000);
    Event {
        id: EventId::from_parts(now, random),
        app: AppId::from_parts(now, [1; 10]),
        channel: "production".parse().unwrap(),
        device: DeviceId::from_parts(now, [2; 10]),
        kind: domain::telemetry::EventKind::Launched,
        platform: domain::Platform::Ios,
        binary_version: None,
        release: None,
        bundle: None,
        received_at: now,
        detail: Some("x".repeat(1_000)),
    }
}

fn open(folder: &std::path::Path, max_bytes: u64) -> Spool {
    let meters = Arc::new(Meters::new(&Metrics::new()));
    let ledger = Arc::new(Ledger::open(folder.join("ledger"), meters.clone()).unwrap());
    Spool::open(folder.to_owned(), max_bytes, ledger, meters).unwrap()
}

fn events(from: u64, to: u64) -> Vec<Event> {
    (from..to).map(event).collect()
}

fn drain(spool: &Spool) -> Vec<(u64, u64, usize)> {
    let mut names = Vec::new();
    while let Some(outgoing) = spool.next().unwrap() {
        names.push((outgoing.segment, outgoing.offset, outgoing.batch.events.len()));
        spool.sent(&outgoing).unwrap();
    }
    names
}

#[test]
fn a_batch_is_the_same_after_a_restart_although_more_was_added() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 16 << 20);
    spool.append_now(&events(0, 10)).unwrap();
    let first = spool.next().unwrap().unwrap();
    spool.append_now(&events(10, 20)).unwrap();
    drop(spool);
    let spool = open(folder.path(), 16 << 20);
    let again = spool.next().unwrap().unwrap();
    assert_eq!((first.segment, first.offset, &first.batch), (again.segment, again.offset, &again.batch));
    spool.sent(&again).unwrap();
    assert_eq!(drain(&spool).iter().map(|name| name.2).sum::<usize>(), 10);
    assert_eq!(spool.size_bytes(), 0);
}

#[test]
fn what_was_sent_is_not_sent_again_after_a_restart_and_names_never_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for round in 0..5 {
        let spool = open(folder.path(), 16 << 20);
        spool.append_now(&events(round * 10, round * 10 + 10)).unwrap();
        names.extend(drain(&spool));
    }
    assert_eq!(names.iter().map(|name| name.2).sum::<usize>(), 50);
    let mut places: Vec<_> = names.iter().map(|name| (name.0, name.1)).collect();
    places.dedup();
    assert_eq!(places.len(), names.len());
    assert!(places.is_sorted());
}

#[test]
fn batches_are_bounded_and_segments_are_deleted_once_sent() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 64 << 20);
    for start in (0..9_000).step_by(100) {
        spool.append_now(&events(start, start + 100)).unwrap();
    }
    let names = drain(&spool);
    assert!(names.iter().all(|name| name.2 <= BATCH_MAX_EVENTS));
    assert_eq!(names.iter().map(|name| name.2).sum::<usize>(), 9_000);
    let files = std::fs::read_dir(folder.path()).unwrap().flatten();
    let segments = files.filter(|file| file.path().extension().is_some_and(|extension| extension == SUFFIX)).count();
    assert_eq!(segments, 1);
}

#[test]
fn a_full_spool_loses_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 2 * SEGMENT_MAX_BYTES);
    for start in (0..12_000).step_by(100) {
        spool.append_now(&events(start, start + 100)).unwrap();
    }
    assert!(spool.size_bytes() <= 2 * SEGMENT_MAX_BYTES);
    let dropped = spool.meters.events.dropped_full.get();
    assert!(dropped > 0);
    let sent: usize = drain(&spool).iter().map(|name| name.2).sum();
    assert_eq!(sent as u64 + dropped, 12_000);
}

#[test]
fn a_damaged_segment_does_not_stop_those_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path(), 16 << 20);
    spool.append_now(&events(0, 10)).unwrap();
    let path = spool.path(spool.inner.lock().current);
    drop(spool);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let spool = open(folder.path(), 16 << 20);
    spool.append_now(&events(10, 20)).unwrap();
    assert_eq!(drain(&spool).iter().map(|name| name.2).sum::<usize>(), 19);
    assert_eq!(spool.meters.events.dropped_damaged.get(), 1);
}
