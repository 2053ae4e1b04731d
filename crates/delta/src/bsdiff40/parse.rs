//! This file's job is to divide the new file so that the patch becomes smallest, given what bytes and steps cost.
//!
//! A dynamic program goes over the new file byte by byte. Its states are alignments (the shift from new to old positions) and "fresh".
//! Each keeps the least cost at which a division ends in it; alignments that cost more than the best state and a step can be dropped,
//! since stepping from the best state is as good. New alignments come from the longest match, its neighbours near the alignment
//! in use, and alignments used lately; they may begin some bytes back, where the match is not yet exact.

mod finder;

use crate::bsdiff40::costs::Costs;
use crate::bsdiff40::segments::{Segment, Source, difference};
use crate::bsdiff40::suffixes::common_prefix;
use crate::budget::Budget;
pub(super) use finder::Finder;

/// How far back a new alignment may begin.
const LOOK_BACK: usize = 64;
/// How many alignments are followed at once.
const LIVE_MAX: usize = 48;
/// Where the alignment in use agrees for this many bytes, nothing else is looked for until its end is near.
const LONG_RUN: usize = 64;
/// Costs are kept small by subtracting the best one this often, so that they stay exact.
const REBASE_EVERY: usize = 4_096;
/// A new alignment that costs this much more than the best state, beyond two steps, will not win.
const HOPELESS_BITS: f32 = 60.0;
/// Nobody comes from here.
const NO_PARENT: u32 = u32::MAX;

/// Where a state began, and the record of the state before.
#[derive(Debug, Clone, Copy)]
struct Origin {
    source: Source,
    start: u32,
    parent: u32,
}

/// A state that is followed.
#[derive(Debug, Clone, Copy)]
struct State {
    origin: Origin,
    cost: f32,
}

/// An alignment that is followed, with the difference byte before.
#[derive(Debug, Clone, Copy)]
struct Live {
    shift: i32,
    state: State,
    before: u8,
}

/// The fresh state. Its parent becomes a record only when somebody comes from here.
#[derive(Debug, Clone, Copy)]
struct Fresh {
    start: u32,
    parent: Origin,
    cost: f32,
}

/// The program.
struct Parser<'a, 'f> {
    base: &'a [u8],
    target: &'a [u8],
    costs: &'f Costs,
    finder: &'f mut Finder<'a>,
    live: Vec<Live>,
    fresh: Fresh,
    /// The best states at the last positions.
    best: Vec<Best>,
    records: Vec<Origin>,
}

/// The best state at a position.
#[derive(Debug, Clone, Copy)]
struct Best {
    cost: f32,
    origin: Origin,
    /// Where the fresh state is the best one, the state it came from.
    before_fresh: Option<Origin>,
}

/// Divides the new file. `None` when the budget is spent.
pub(super) fn divide<'f>(costs: &'f Costs, finder: &'f mut Finder<'_>, budget: &Budget<'_>) -> Option<Vec<Segment>> {
    let (base, target) = (finder.base(), finder.target());
    let begin = Origin { source: Source::Old(0), start: 0, parent: NO_PARENT };
    let state = State { origin: begin, cost: 0.0 };
    let mut parser = Parser {
        base,
        target,
        costs,
        finder,
        live: vec![Live { shift: 0, state, before: 0 }],
        fresh: Fresh { start: 0, parent: begin, cost: costs.begin_fresh },
        best: vec![Best { cost: 0.0, origin: begin, before_fresh: None }; LOOK_BACK + 1],
        records: Vec::new(),
    };
    parser.finder.begin();
    let mut search_from = 0;
    for position in 0..target.len() {
        if position >= search_from {
            search_from = parser.search(position);
        }
        parser.step(position);
        if position % REBASE_EVERY == REBASE_EVERY - 1 {
            parser.rebase(position);
            if budget.is_spent() {
                return None;
            }
        }
    }
    Some(parser.trace())
}

impl Parser<'_, '_> {
    /// Looks for new alignments, and returns where to look next.
    fn search(&mut self, position: usize) -> usize {
        let in_use =
            self.live.iter().min_by(|one, other| one.state.cost.total_cmp(&other.state.cost)).map(|live| live.shift);
        let run = in_use.map_or(0, |shift| self.agreement(position, shift));
        if run >= LONG_RUN {
            return position + run - LONG_RUN / 2;
        }
        for shift in self.finder.candidates(position, in_use.unwrap_or(0), run) {
            self.offer(position, shift);
        }
        position + 1
    }

    /// Returns how many bytes agree from here on.
    fn agreement(&self, position: usize, shift: i32) -> usize {
        let old = usize::try_from(position as i64 + i64::from(shift)).ok().and_then(|at| self.base.get(at..));
        old.map_or(0, |old| common_prefix(old, &self.target[position..]))
    }

    /// Follows an alignment from the best of the last positions.
    fn offer(&mut self, position: usize, shift: i32) {
        let (cost, back, before) = self.best_beginning(position, shift);
        let known = self.live.iter().position(|live| live.shift == shift);
        let worse = match known {
            Some(index) => self.live[index].state.cost <= cost,
            None => cost > self.best[position % self.best.len()].cost + 2.0 * self.costs.step + HOPELESS_BITS,
        };
        if worse {
            return;
        }
        let from = self.best[(position - back) % self.best.len()];
        let parent = self.record(from);
        let origin = Origin { source: Source::Old(shift), start: (position - back) as u32, parent };
        let live = Live { shift, state: State { origin, cost }, before };
        match known {
            Some(index) => self.live[index] = live,
            None => self.live.push(live),
        }
        self.finder.note(shift);
    }

    /// Returns what an alignment costs up to here, how far back it begins, and its last difference byte.
    fn best_beginning(&self, position: usize, shift: i32) -> (f32, usize, u8) {
        let step = self.costs.step;
        let mut best = (self.best[position % self.best.len()].cost + step, 0);
        // What the bytes back to here cost, and the first of them.
        let (mut cost, mut first): (f32, Option<u8>) = (0.0, None);
        let mut last = 0;
        for back in 1..=LOOK_BACK.min(position) {
            let at = position - back;
            if at as i64 + i64::from(shift) < 0 {
                break;
            }
            let byte = difference(self.base, self.target, at, shift);
            cost += match first {
                Some(first) => self.costs.difference(byte, first) - self.costs.difference(0, first),
                None => 0.0,
            };
            cost += self.costs.difference(0, byte);
            if back == 1 {
                last = byte;
            }
            first = Some(byte);
            let total = self.best[at % self.best.len()].cost + step + cost;
            if total < best.0 {
                best = (total, back);
            }
            if cost > step + 80.0 {
                break;
            }
        }
        (best.0, best.1, if best.1 == 0 { 0 } else { last })
    }

    /// Writes a state down, so that others can come from it.
    fn record(&mut self, state: Best) -> u32 {
        let mut origin = state.origin;
        if let Some(before) = state.before_fresh {
            self.records.push(before);
            origin.parent = self.records.len() as u32 - 1;
        }
        self.records.push(origin);
        self.records.len() as u32 - 1
    }

    /// Moves every state over one byte.
    fn step(&mut self, position: usize) {
        let byte = self.target[position];
        let before = if position == 0 { 0 } else { self.target[position - 1] };
        if let Some(best) = self.live.iter().map(|live| live.state).min_by(|one, other| one.cost.total_cmp(&other.cost))
        {
            let cost = best.cost + self.costs.begin_fresh;
            if cost < self.fresh.cost {
                self.fresh = Fresh { start: position as u32, parent: best.origin, cost };
            }
        }
        self.fresh.cost += self.costs.fresh(before, byte);
        let mut best = Best {
            cost: self.fresh.cost,
            origin: Origin { source: Source::Fresh, start: self.fresh.start, parent: NO_PARENT },
            before_fresh: Some(self.fresh.parent),
        };
        for live in &mut self.live {
            let old = usize::try_from(position as i64 + i64::from(live.shift)).ok().and_then(|at| self.base.get(at));
            let Some(old) = old else {
                live.state.cost = f32::INFINITY;
                continue;
            };
            let difference = byte.wrapping_sub(*old);
            live.state.cost += self.costs.difference(live.before, difference);
            live.before = difference;
            if live.state.cost < best.cost {
                best = Best { cost: live.state.cost, origin: live.state.origin, before_fresh: None };
            }
        }
        let slots = self.best.len();
        self.best[(position + 1) % slots] = best;
        let worst = best.cost + self.costs.step;
        self.live.retain(|live| live.state.cost <= worst);
        if self.live.len() > LIVE_MAX {
            self.live.sort_by(|one, other| one.state.cost.total_cmp(&other.state.cost));
            self.live.truncate(LIVE_MAX);
        }
    }

    fn rebase(&mut self, position: usize) {
        let least = self.best[(position + 1) % self.best.len()].cost;
        self.fresh.cost -= least;
        self.live.iter_mut().for_each(|live| live.state.cost -= least);
        self.best.iter_mut().for_each(|best| best.cost -= least);
    }

    /// Returns the best division.
    fn trace(mut self) -> Vec<Segment> {
        let last = self.best[self.target.len() % self.best.len()];
        let mut at = self.record(last);
        let mut end = self.target.len() as u32;
        let mut segments: Vec<Segment> = Vec::new();
        while at != NO_PARENT {
            let Origin { source, start, parent } = self.records[at as usize];
            match segments.last_mut() {
                Some(after) if after.source == source && start < end => {
                    after.length += after.start - start;
                    after.start = start;
                }
                _ if start < end => segments.push(Segment { start, length: end - start, source }),
                _ => {}
            }
            end = end.min(start);
            at = parent;
        }
        segments.reverse();
        segments
    }
}
