//! This file's job is to test that every event is handed in or counted, once, whatever dies or gets lost on the way.

use super::counts::Counted;
use super::ledger::Ledger;
use super::spool::{SEGMENT_MAX_BYTES, Spool};
use crate::meters::Meters;
use domain::Timestamp;
use domain::id::{AppId, DeviceId, EventId};
use domain::tally::{Amount, CheckResult, Measure, TallyKey};
use domain::telemetry::{Event, EventKind};
use proptest::prelude::*;
use runtime::observe::Metrics;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// 1,200 bytes each: a step fills an eighth of a segment, so the smallest spool is full after 16 steps.
const EVENTS_A_STEP: u64 = 450;
/// The smallest spool that an edge may have.
const SPOOL_BYTES: u64 = 2 * SEGMENT_MAX_BYTES;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Devices report.
    Report,
    /// Devices ask for updates.
    Check(u64),
    /// A batch of events is sent.
    Push(Fate),
    /// A batch of numbers is sent.
    Deliver(Fate),
    /// The edge dies and starts again.
    Die,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// All is well.
    Taken,
    /// The control plane never sees it.
    Lost,
    /// The control plane has it, and the edge does not hear that.
    Unanswered,
    /// It is never taken.
    Refused,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = || prop_oneof![2 => Just(Fate::Taken), 2 => Just(Fate::Lost), 2 => Just(Fate::Unanswered)];
    let of_events = prop_oneof![6 => fate(), 1 => Just(Fate::Refused)];
    let step = prop_oneof![
        12 => Just(Step::Report),
        4 => (1_u64..100).prop_map(Step::Check),
        4 => of_events.prop_map(Step::Push),
        4 => fate().prop_map(Step::Deliver),
        3 => Just(Step::Die),
    ];
    proptest::collection::vec(step, 20..60)
}

/// What is broken to see the test fail.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Broken {
    Nothing,
    /// The control plane does not look whether it has added a batch.
    Sequence,
    /// The edge dies before the ledger is on disk, and after the events are gone.
    Order,
}

/// What the control plane has.
#[derive(Default)]
struct Received {
    batches: HashSet<(u64, u64)>,
    events: HashSet<String>,
    last: HashMap<u64, u64>,
    launched: u64,
    checks: u64,
}

struct World {
    folder: tempfile::TempDir,
    spool: Spool,
    ledger: Arc<Ledger>,
    received: Received,
    broken: Broken,
    reported: u64,
    checked: u64,
}

fn start(folder: &Path) -> (Spool, Arc<Ledger>) {
    let meters = Arc::new(Meters::new(&Metrics::new()));
    let ledger = Arc::new(Ledger::open(folder.join("ledger"), meters.clone()).unwrap());
    (Spool::open(folder.to_owned(), SPOOL_BYTES, ledger.clone(), meters).unwrap(), ledger)
}

fn app() -> AppId {
    AppId::from_parts(Timestamp::from_us(1), [1; 10])
}

fn launched(number: u64) -> Event {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let now = Timestamp::from_us(1_790_000_000_000_000);
    Event {
        id: EventId::from_parts(now, random),
        app: app(),
        channel: "production".parse().unwrap(),
        device: DeviceId::from_parts(now, [2; 10]),
        kind: EventKind::Launched,
        platform: domain::Platform::Ios,
        binary_version: None,
        release: None,
        bundle: None,
        received_at: now,
        detail: Some("x".repeat(1_000)),
    }
}

fn check_key() -> TallyKey {
    TallyKey { app: app(), channel: None, release: None, bundle: None, measure: Measure::Check(CheckResult::Nothing) }
}

/// The segments on disk, with their bytes.
fn segments(folder: &Path) -> HashMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let segments = paths.filter(|path| path.extension().is_some_and(|extension| extension == "events"));
    segments.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

impl World {
    fn new(broken: Broken) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (spool, ledger) = start(folder.path());
        Self { folder, spool, ledger, received: Received::default(), broken, reported: 0, checked: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Report => self.report(),
            Step::Check(times) => {
                let amounts = vec![(check_key(), Amount { times, bytes: 0 })];
                self.ledger.add(Counted { amounts, other_times: 0 }).unwrap();
                self.checked += times;
            }
            Step::Push(fate) => self.push(fate),
            Step::Deliver(fate) => self.deliver(fate),
            Step::Die => (self.spool, self.ledger) = start(self.folder.path()),
        }
    }

    /// When that makes the spool drop a segment, the edge dies right in the middle: the numbers are on disk, and the segment still is.
    fn report(&mut self) {
        let path = self.folder.path().to_owned();
        let (before, old_ledger) = (segments(&path), std::fs::read(path.join("ledger")).unwrap());
        let events: Vec<Event> = (self.reported..self.reported + EVENTS_A_STEP).map(launched).collect();
        self.spool.append_now(&events).unwrap();
        self.reported += EVENTS_A_STEP;
        let after = segments(&path);
        let dropped: Vec<_> = before.iter().filter(|(path, _)| !after.contains_key(*path)).collect();
        if dropped.is_empty() {
            return;
        }
        if self.broken == Broken::Order {
            std::fs::write(path.join("ledger"), old_ledger).unwrap();
        } else {
            dropped.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        }
        (self.spool, self.ledger) = start(&path);
    }

    fn push(&mut self, fate: Fate) {
        let Some(outgoing) = self.spool.next().unwrap() else { return };
        if matches!(fate, Fate::Taken | Fate::Unanswered)
            && self.received.batches.insert((outgoing.segment, outgoing.offset))
        {
            let ids = outgoing.batch.events.iter().map(|event| event.event_id.clone());
            self.received.events.extend(ids);
        }
        match fate {
            Fate::Taken => self.spool.sent(&outgoing).unwrap(),
            Fate::Refused if !self.received.batches.contains(&(outgoing.segment, outgoing.offset)) => {
                self.spool.refused(&outgoing).unwrap();
            }
            Fate::Refused | Fate::Lost | Fate::Unanswered => {}
        }
    }

    fn deliver(&mut self, fate: Fate) {
        let Some(batch) = self.ledger.claim().unwrap() else { return };
        let last = self.received.last.entry(batch.ledger).or_default();
        let is_new = *last < batch.sequence || self.broken == Broken::Sequence;
        if fate != Fate::Lost && is_new {
            *last = batch.sequence;
            for tally in &batch.tallies {
                match tally.measure.as_str() {
                    "event-launched" => self.received.launched += tally.times,
                    "check-nothing" => self.received.checks += tally.times,
                    other => panic!("{other}"),
                }
            }
        }
        if fate == Fate::Taken {
            self.ledger.sent(batch.sequence);
        }
    }

    /// Lets everything arrive, and says whether each event and each check did so once.
    fn comes_out_exact(mut self) -> bool {
        while let Some(outgoing) = self.spool.next().unwrap() {
            self.received.events.extend(outgoing.batch.events.iter().map(|event| event.event_id.clone()));
            self.spool.sent(&outgoing).unwrap();
        }
        while self.ledger.claim().unwrap().is_some() {
            self.deliver(Fate::Taken);
        }
        let Received { events, launched, checks, .. } = self.received;
        (events.len() as u64 + launched, checks) == (self.reported, self.checked)
    }
}

fn is_exact(steps: &[Step], broken: Broken) -> bool {
    let mut world = World::new(broken);
    steps.iter().for_each(|step| world.take(*step));
    world.comes_out_exact()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_dies_or_gets_lost_every_event_and_every_check_arrives_once(steps in steps()) {
        prop_assert!(is_exact(&steps, Broken::Nothing));
    }
}

#[test]
fn the_test_sees_a_batch_that_is_added_twice() {
    let steps = [Step::Check(5), Step::Deliver(Fate::Unanswered), Step::Die];
    assert!(is_exact(&steps, Broken::Nothing));
    assert!(!is_exact(&steps, Broken::Sequence));
}

#[test]
fn the_test_sees_events_that_are_dropped_before_they_are_counted() {
    let steps = [Step::Report; 40];
    assert!(is_exact(&steps, Broken::Nothing));
    assert!(!is_exact(&steps, Broken::Order));
}
