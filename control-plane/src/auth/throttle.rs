//! This file's job is to count tries per subject, so that guessing and flooding stop soon.
//!
//! Subjects are known by an HMAC only. Every replica counts for itself: with n replicas a subject has n times as many tries.

use crate::auth::window::{Allowance, Windows};
use crate::error::{Error, Result};
use domain::{ErrorKind, Timestamp};
use proto::error::PublicError;
use proto::v1::Reason;
use ring::hmac;
use std::net::IpAddr;
use std::time::Duration;

/// Subjects in memory; 100 bytes each. Filling it takes as many addresses.
const SUBJECTS_MAX: u64 = 100_000;

/// Counts tries of one kind.
pub struct Throttle {
    allowance: Allowance,
    key: hmac::Key,
    counts: Windows<[u8; 32]>,
}

impl Throttle {
    /// Makes a throttle that has counted nothing.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &runtime::random::bytes::<32>());
        Self { allowance, key, counts: Windows::new(SUBJECTS_MAX, allowance.window) }
    }

    /// Counts a try of the subject.
    ///
    /// # Errors
    /// Resource exhausted, with the time to wait, when there were too many.
    pub fn take(&self, subject: &str, now: Timestamp) -> Result<()> {
        let since = Duration::from_micros(u64::try_from(now.as_us()).unwrap_or_default());
        let decision = self.counts.take(&self.tag(subject), since, self.allowance);
        if decision.admitted { Ok(()) } else { Err(too_many(decision.reset)) }
    }

    /// Forgets the subject's tries, because one of them was right.
    pub fn forget(&self, subject: &str) {
        self.counts.forget(&self.tag(subject));
    }

    fn tag(&self, subject: &str) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.key, subject.as_bytes()).as_ref());
        tag
    }
}

fn too_many(wait: Duration) -> Error {
    // Less than a second is no wait that anybody keeps.
    let wait = wait.max(Duration::from_secs(1));
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
