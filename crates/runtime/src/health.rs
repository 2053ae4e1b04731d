//! This file's job is to know how each part of a process is, and since when.

use domain::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Clock;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does its work.
    Ready,
    /// It does its work with something missing.
    Degraded,
    /// It does not do its work.
    Down,
}

impl State {
    /// Returns the text form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The part's name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Why, for people.
    pub why: String,
    /// When it came into this state.
    pub since: Timestamp,
}

/// The parts of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Health {
    clock: Clock,
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

/// One part, which says how it is.
#[derive(Debug, Clone)]
pub struct Component {
    name: String,
    health: Health,
}

impl Health {
    /// Makes an empty list.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: Arc::default() }
    }

    /// Adds a part, which is down until it says otherwise.
    #[must_use]
    pub fn component(&self, name: &str) -> Component {
        let component = Component { name: name.to_owned(), health: self.clone() };
        component.set(State::Down, "starting");
        component
    }

    /// Returns all parts by name.
    #[must_use]
    pub fn report(&self) -> Vec<Entry> {
        self.entries.lock().values().cloned().collect()
    }
}

impl Component {
    /// Says how the part is now. The time changes only when the state does.
    pub fn set(&self, state: State, why: &str) {
        let mut entries = self.health.entries.lock();
        let since = match entries.get(&self.name) {
            Some(entry) if entry.state == state => entry.since,
            Some(_) | None => self.health.clock.now(),
        };
        entries.insert(self.name.clone(), Entry { name: self.name.clone(), state, why: why.to_owned(), since });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn since_changes_with_the_state_and_not_with_the_reason() {
        let clock = Clock::manual(Timestamp::from_us(0));
        let health = Health::new(clock.clone());
        let sync = health.component("sync");
        clock.advance(Duration::from_micros(10));
        sync.set(State::Ready, "connected");
        clock.advance(Duration::from_micros(10));
        sync.set(State::Ready, "caught up");
        let report = health.report();
        assert_eq!((report[0].since, report[0].why.as_str()), (Timestamp::from_us(10), "caught up"));
    }
}
