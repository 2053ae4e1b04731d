//! This file's job is to let tests wait for a condition instead of sleeping.

use std::time::{Duration, Instant};

/// Short enough that no test waits noticeably longer than it must.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Looks every 5 ms whether the condition holds; panics when it does not within `deadline`.
#[track_caller]
pub fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + deadline;
    while !condition() {
        assert!(Instant::now() < until, "the condition did not hold within {deadline:?}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Looks every 5 ms whether the condition holds; panics when it does not within `deadline`. Other tasks go on meanwhile.
pub async fn wait_until_async<F: Future<Output = bool>>(deadline: Duration, mut condition: impl FnMut() -> F) {
    let until = Instant::now() + deadline;
    while !condition().await {
        assert!(Instant::now() < until, "the condition did not hold within {deadline:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_the_condition_holds() {
        let mut looks = 0;
        wait_until(Duration::from_secs(5), || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "did not hold")]
    async fn waiting_for_ever_is_a_failure() {
        wait_until_async(Duration::from_millis(20), || async { false }).await;
    }
}
