//! This file's job is to test that the ledger loses nothing and adds nothing twice, within its bound.

use super::*;
use domain::Timestamp;
use domain::id::AppId;
use domain::tally::{CheckResult, Measure};
use runtime::observe::Metrics;
use std::path::Path;

fn open(path: &Path) -> Ledger {
    Ledger::open(path.to_owned(), Arc::new(Meters::new(&Metrics::new()))).unwrap()
}

fn key(number: u32) -> TallyKey {
    let mut random = [0; 10];
    random[..4].copy_from_slice(&number.to_be_bytes());
    let app = AppId::from_parts(Timestamp::from_us(1), random);
    TallyKey { app, channel: None, release: None, bundle: None, measure: Measure::Check(CheckResult::Nothing) }
}

fn counted(numbers: impl IntoIterator<Item = u32>) -> Counted {
    let amount = |number| (key(number), Amount { times: 1, bytes: 10 });
    Counted { amounts: numbers.into_iter().map(amount).collect(), other_times: 0 }
}

fn times(batch: &NumberedBatch) -> u64 {
    batch.tallies.iter().map(|tally| tally.times).sum::<u64>() + batch.other_times
}

#[test]
fn a_batch_is_the_same_after_a_restart_although_more_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    assert_eq!(ledger.claim().unwrap(), None);
    ledger.add(counted([1, 1, 2])).unwrap();
    let first = ledger.claim().unwrap().unwrap();
    assert_eq!((first.sequence, first.tallies.len(), times(&first)), (1, 2, 3));
    ledger.add(counted([2, 3])).unwrap();
    drop(ledger);
    let ledger = open(&path);
    assert_eq!(ledger.claim().unwrap(), Some(first.clone()));
    ledger.sent(first.sequence);
    let second = ledger.claim().unwrap().unwrap();
    assert_eq!((second.ledger, second.sequence, times(&second)), (first.ledger, 2, 2));
    ledger.sent(second.sequence);
    assert_eq!(ledger.claim().unwrap(), None);
}

#[test]
fn many_numbers_go_in_several_batches() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("ledger"));
    ledger.add(counted(0..12_000)).unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = ledger.claim().unwrap() {
        sizes.push(batch.tallies.len());
        ledger.sent(batch.sequence);
    }
    assert_eq!(sizes, [5_000, 5_000, 2_000]);
}

#[test]
fn what_finds_no_row_is_counted_together() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("ledger"));
    ledger.inner.lock().rows_max = 3;
    ledger.add(counted([1, 2, 3, 4, 5, 1])).unwrap();
    let batch = ledger.claim().unwrap().unwrap();
    assert_eq!((batch.tallies.len(), batch.other_times, times(&batch)), (3, 2, 6));
    assert_eq!(ledger.meters.events.tallies_folded.get(), 2);
}

#[test]
fn the_same_part_of_the_spool_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    ledger.replace_events(Part::rest_of(7), [key(1), key(1)]).unwrap();
    drop(ledger);
    let ledger = open(&path);
    ledger.replace_events(Part::rest_of(7), [key(1), key(1)]).unwrap();
    assert_eq!((ledger.counted(), times(&ledger.claim().unwrap().unwrap())), (Part::rest_of(7), 2));
}

#[test]
fn numbers_are_kept_while_the_disk_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    // Nothing can be renamed over a folder that is not empty.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir_all(path.join("in the way")).unwrap();
    assert!(ledger.add(counted([1])).is_err());
    assert!(ledger.claim().is_err(), "a batch that is not on disk is not sent");
    std::fs::remove_dir_all(&path).unwrap();
    ledger.add(counted([2])).unwrap();
    let first = ledger.claim().unwrap().unwrap();
    ledger.sent(first.sequence);
    assert_eq!(times(&first) + times(&ledger.claim().unwrap().unwrap()), 2);
}

#[test]
fn a_damaged_file_begins_another_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let name = open(&path).inner.lock().book.ledger;
    assert_eq!(open(&path).inner.lock().book.ledger, name);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    for damaged in [bytes.as_slice(), &[], &[0; 3]] {
        std::fs::write(&path, damaged).unwrap();
        let book = open(&path).inner.lock().book.clone();
        assert_eq!((book.ledger == name, book.sequence), (false, 0));
    }
}

#[test]
fn a_closed_ledger_has_the_last_numbers_and_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    ledger.close(counted([1])).unwrap();
    assert!(ledger.add(counted([2])).is_err());
    assert_eq!(times(&open(&path).claim().unwrap().unwrap()), 1);
}
