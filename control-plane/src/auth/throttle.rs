//! This file's job is to count tries per subject, so that guessing and flooding stop soon.
//!
//! Each subject has two counters: of this window and of the one before, which fades. Subjects are known by an HMAC only. Every replica
//! counts for itself: with n replicas a subject has n times as many tries.

use crate::error::{Error, Result};
use domain::{ErrorKind, Timestamp};
use moka::sync::Cache;
use parking_lot::Mutex;
use proto::error::PublicError;
use proto::v1::Reason;
use ring::hmac;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Subjects in memory; 100 bytes each. Filling it takes as many addresses.
const SUBJECTS_MAX: u64 = 100_000;

/// How often something may be tried.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Tries in a window.
    pub tries: u32,
    /// The window.
    pub window: Duration,
}

/// Counts tries of one kind.
pub struct Throttle {
    allowance: Allowance,
    key: hmac::Key,
    counts: Cache<[u8; 32], Arc<Mutex<Counts>>>,
}

/// The counters of one subject.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    window: i64,
    current: u32,
    before: u32,
}

impl Throttle {
    /// Makes a throttle that has counted nothing.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &runtime::random::bytes::<32>());
        let counts = Cache::builder().max_capacity(SUBJECTS_MAX).time_to_idle(allowance.window * 2).build();
        Self { allowance, key, counts }
    }

    /// Counts a try of the subject.
    ///
    /// # Errors
    /// Resource exhausted, with the time to wait, when there were too many.
    pub fn take(&self, subject: &str, now: Timestamp) -> Result<()> {
        let counts = self.counts.get_with(self.tag(subject), Arc::default);
        let wait = counts.lock().take(self.allowance, now);
        wait.map_or(Ok(()), |wait| Err(too_many(wait)))
    }

    /// Forgets the subject's tries, because one of them was right.
    pub fn forget(&self, subject: &str) {
        self.counts.invalidate(&self.tag(subject));
    }

    fn tag(&self, subject: &str) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.key, subject.as_bytes()).as_ref());
        tag
    }
}

impl Counts {
    /// Counts a try, or says how long to wait for the next one. A clock that goes back changes nothing.
    fn take(&mut self, allowance: Allowance, now: Timestamp) -> Option<Duration> {
        let window_us = i64::try_from(allowance.window.as_micros()).unwrap_or(i64::MAX).max(1);
        let window = now.as_us().div_euclid(window_us).max(self.window);
        if window != self.window {
            self.before = if window == self.window + 1 { self.current } else { 0 };
            self.current = 0;
            self.window = window;
        }
        let passed_us = (now.as_us() - window * window_us).clamp(0, window_us);
        let faded = i64::from(self.before) * (window_us - passed_us) / window_us;
        if faded + i64::from(self.current) >= i64::from(allowance.tries) {
            let wait_us = u64::try_from(window_us - passed_us).unwrap_or_default();
            return Some(Duration::from_micros(wait_us.max(1_000_000)));
        }
        self.current += 1;
        None
    }
}

fn too_many(wait: Duration) -> Error {
    let message = "too many tries: wait, then try again";
    PublicError::new(ErrorKind::ResourceExhausted, Reason::TooManyAttempts, message).retry_after(wait).into()
}

/// Returns the block that one customer of a network provider has: an IPv4 address, or an IPv6 /64.
#[must_use]
pub fn block(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance { tries: 3, window: Duration::from_secs(60) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_us(seconds * 1_000_000)
    }

    #[test]
    fn never_one_try_more_than_allowed_and_subjects_do_not_meet() {
        let throttle = Throttle::new(ALLOWANCE);
        let taken = (0..10).filter(|_| throttle.take("a", at(60)).is_ok()).count();
        assert_eq!(taken, 3);
        assert!(throttle.take("b", at(60)).is_ok());
        throttle.forget("a");
        assert!(throttle.take("a", at(60)).is_ok());
    }

    #[test]
    fn tries_at_the_same_time_are_counted_exactly() {
        let throttle = Throttle::new(ALLOWANCE);
        let tries: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(|| throttle.take("a", at(60)).is_ok())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(tries.into_iter().filter(|taken| *taken).count(), 3);
    }

    #[test]
    fn the_window_before_fades() {
        let throttle = Throttle::new(ALLOWANCE);
        assert!((0..3).all(|_| throttle.take("a", at(119)).is_ok()));
        assert!(throttle.take("a", at(120)).is_err(), "the edge of a window gives no second allowance");
        assert!(throttle.take("a", at(160)).is_ok());
        assert!(throttle.take("a", at(400)).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_further_tries() {
        let throttle = Throttle::new(ALLOWANCE);
        assert!((0..3).all(|_| throttle.take("a", at(600)).is_ok()));
        assert!(throttle.take("a", at(1)).is_err());
    }

    #[test]
    fn a_customer_of_a_network_is_one_block() {
        assert_eq!(block("2001:db8:1:2:3::4".parse().unwrap()), block("2001:db8:1:2::9".parse().unwrap()));
        assert_eq!(block("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
