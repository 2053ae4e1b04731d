//! This file's job is to make random bytes that nobody can guess.

use ring::rand::{SecureRandom as _, SystemRandom};

/// Returns random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that follows could be safe.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Returns a random number below `bound`, which must not be zero. The bias is below 2⁻³² for bounds below 2³².
#[must_use]
pub fn below(bound: u64) -> u64 {
    u64::from_le_bytes(bytes()) % bound.max(1)
}
