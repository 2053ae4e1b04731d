//! This file's job is to repeat calls that failed on the way, once the server has been reached before.

use crate::error::Error;
use runtime::backoff::Backoff;
use std::time::{Duration, Instant};

/// First wait after a failure.
pub const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Longest wait between two tries.
pub const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A restart of the server takes less; after this long the command gives up. Repeating it resumes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Repeats a call until it succeeds, fails for good, or patience ends. The call must be one that may be repeated.
pub async fn repeat<T, F>(call: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let begun = Instant::now();
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        match call().await {
            Err(error) if error.is_passing() && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(backoff.next_wait()).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn passing_failures_are_repeated_and_final_ones_are_not() {
        tokio::time::pause();
        let calls = Cell::new(0);
        let result = repeat(|| async {
            calls.set(calls.get() + 1);
            if calls.get() < 4 { Err(tonic::Status::unavailable("away").into()) } else { Ok(calls.get()) }
        });
        assert_eq!(result.await.unwrap(), 4);
        let result: Result<(), Error> = repeat(|| async {
            calls.set(calls.get() + 1);
            Err(tonic::Status::not_found("no").into())
        })
        .await;
        assert!(result.is_err());
        assert_eq!(calls.get(), 5);
    }
}
