//! This file's job is to say which of a connection's answers are written down, without a look at anything that connections share.

use std::sync::atomic::{AtomicU32, Ordering};

/// A countdown. The streams of an HTTP/2 connection share it; when two of them count at the same moment, one of them is not counted.
#[derive(Debug)]
pub(crate) struct Turn {
    every: u32,
    /// Answers until one is due, with that one; zero for none ever.
    left: AtomicU32,
}

impl Turn {
    /// One in `every` answers is due, none when that is zero. The first comes early or late by `phase`, a part of 2³².
    pub(super) fn new(every: u32, phase: u32) -> Self {
        let before = (u64::from(every) * u64::from(phase)) >> 32;
        let left = if every == 0 { 0 } else { before as u32 + 1 };
        Self { every, left: AtomicU32::new(left) }
    }

    /// Counts an answer and says whether it is due.
    pub(crate) fn is_due(&self) -> bool {
        match self.left.load(Ordering::Relaxed) {
            0 => false,
            1 => {
                self.left.store(self.every, Ordering::Relaxed);
                true
            }
            left => {
                self.left.store(left - 1, Ordering::Relaxed);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PHASE_STEP;
    use super::*;

    fn due(turn: &Turn, answers: u32) -> u32 {
        (0..answers).filter(|_| turn.is_due()).count() as u32
    }

    #[test]
    fn one_in_so_many_is_due_on_a_long_connection_and_over_many_short_ones() {
        assert_eq!(due(&Turn::new(1_000, u32::MAX / 3), 100_000), 100);
        let phases = (0..100_000_u32).map(|connection| connection.wrapping_mul(PHASE_STEP));
        let on_short: u32 = phases.map(|phase| due(&Turn::new(1_000, phase), 1)).sum();
        assert!((90..=110).contains(&on_short), "{on_short}");
    }

    #[test]
    fn all_and_none_can_be_had() {
        assert_eq!(due(&Turn::new(1, u32::MAX), 50), 50);
        assert_eq!(due(&Turn::new(0, u32::MAX), 50), 0);
    }
}
