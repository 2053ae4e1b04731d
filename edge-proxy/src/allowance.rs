//! This file's job is to grant so many requests a second, without a lock and without a timer.
//!
//! This is virtual scheduling (ITU-T I.371, "GCRA"): each request is paid for with a slice of time, and credit is given for [`BURST`].

use nix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Every request asks what time it is, up to three times. This clock moves every few milliseconds, which is nothing beside [`BURST`], and
/// costs a tenth of the exact one.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC_COARSE;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// As much as is granted in this time may come at once: phones that wake together, a download of many small files.
pub(crate) const BURST: Duration = Duration::from_secs(10);
const SECOND_NS: u64 = 1_000_000_000;
const BURST_NS: u64 = BURST.as_secs() * SECOND_NS;

/// Requests a second; zero grants everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u32);

/// What a request that was taken in leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// More than half of the burst.
    Ample,
    /// So many requests; all of the burst is there again after the time.
    Scarce(u32, Duration),
}

/// What has been asked for.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// Until when everything so far is paid for, by [`now`].
    paid_until_ns: AtomicU64,
}

impl Allowance {
    /// Takes a request in that comes now. The error is how long to wait until there is room for one.
    pub(crate) fn take(&self, rate: Rate) -> Result<Left, Duration> {
        if rate.0 == 0 { Ok(Left::Ample) } else { self.take_at(rate, now()) }
    }

    fn take_at(&self, rate: Rate, now: Duration) -> Result<Left, Duration> {
        let Some(cost_ns) = SECOND_NS.checked_div(u64::from(rate.0)) else { return Ok(Left::Ample) };
        let now_ns = nanoseconds(now);
        let mut paid_until = self.paid_until_ns.load(Ordering::Relaxed);
        loop {
            let next = paid_until.max(now_ns) + cost_ns;
            let room_at = next.saturating_sub(BURST_NS);
            if room_at > now_ns {
                return Err(Duration::from_nanos(room_at - now_ns));
            }
            // The value stands for itself: nothing else is read because of it.
            match self.paid_until_ns.compare_exchange_weak(paid_until, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(left(next - now_ns, cost_ns)),
                Err(other) => paid_until = other,
            }
        }
    }

    /// Says whether it grants as much as a new one.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole_at(now())
    }

    fn is_whole_at(&self, now: Duration) -> bool {
        self.paid_until_ns.load(Ordering::Relaxed) <= nanoseconds(now)
    }
}

/// The time since the machine began, or about that.
fn now() -> Duration {
    clock_gettime(CLOCK).map_or(Duration::ZERO, Duration::from)
}

/// Returns what is left of the burst when so much time is paid for ahead.
fn left(ahead_ns: u64, cost_ns: u64) -> Left {
    if ahead_ns <= BURST_NS / 2 {
        return Left::Ample;
    }
    let requests = BURST_NS.saturating_sub(ahead_ns) / cost_ns.max(1);
    Left::Scarce(u32::try_from(requests).unwrap_or(u32::MAX), Duration::from_nanos(ahead_ns))
}

/// The time since the machine began fits for 500 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate(100);
    const NOW: Duration = Duration::from_secs(5_000);

    fn taken(allowance: &Allowance, now: Duration) -> usize {
        (0..100_000).take_while(|_| allowance.take_at(RATE, now).is_ok()).count()
    }

    #[test]
    fn a_burst_is_granted_at_once_and_then_the_rate() {
        let allowance = Allowance::default();
        assert_eq!(taken(&allowance, NOW), 1_000);
        assert_eq!(taken(&allowance, NOW), 0);
        assert_eq!(taken(&allowance, NOW + Duration::from_secs(1)), 100);
        assert_eq!(taken(&allowance, NOW + Duration::from_secs(1_000)), 1_000);
    }

    #[test]
    fn whoever_waits_as_long_as_it_says_is_granted_one() {
        let allowance = Allowance::default();
        taken(&allowance, NOW);
        let wait = allowance.take_at(RATE, NOW).unwrap_err();
        assert!(allowance.take_at(RATE, NOW + wait - Duration::from_nanos(1)).is_err());
        assert!(allowance.take_at(RATE, NOW + wait).is_ok());
    }

    #[test]
    fn refused_requests_cost_nothing() {
        let allowance = Allowance::default();
        taken(&allowance, NOW);
        (0..10_000).for_each(|_| assert!(allowance.take_at(RATE, NOW).is_err()));
        assert_eq!(taken(&allowance, NOW + Duration::from_secs(1)), 100);
    }

    #[test]
    fn it_is_whole_again_when_everything_is_paid() {
        let allowance = Allowance::default();
        assert!(allowance.is_whole_at(NOW));
        taken(&allowance, NOW);
        assert!(!allowance.is_whole_at(NOW + BURST - Duration::from_nanos(1)));
        assert!(allowance.is_whole_at(NOW + BURST));
    }

    #[test]
    fn what_is_left_is_told_when_it_is_less_than_half() {
        let allowance = Allowance::default();
        let left: Vec<_> = (0..1_000).map(|_| allowance.take_at(RATE, NOW).unwrap()).collect();
        assert!(left[..500].iter().all(|left| *left == Left::Ample));
        assert_eq!(left[500], Left::Scarce(499, Duration::from_millis(5_010)));
        assert_eq!(left[999], Left::Scarce(0, BURST));
    }

    #[test]
    fn no_rate_is_no_limit() {
        let allowance = Allowance::default();
        (0..10_000).for_each(|_| assert!(allowance.take(Rate(0)).is_ok()));
    }

    #[test]
    fn threads_together_get_no_more_than_one_would() {
        let allowance = Allowance::default();
        let together: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&allowance, NOW))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(together, 1_000);
    }
}
