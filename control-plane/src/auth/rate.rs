//! This file's job is to count requests of each credential in a sliding minute. Each replica counts for itself.

use crate::auth::window::{Allowance, Decision, Window};
use moka::sync::Cache;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The window that limits are given for.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Credentials that are counted at the same time; 100 bytes each.
const COUNTED_MAX: u64 = 100_000;

/// The counters of one replica. A clock that jumps does not matter: only the monotonic one is asked.
pub struct Rates {
    start: Instant,
    windows: Cache<String, Arc<Mutex<Window>>>,
}

impl Default for Rates {
    fn default() -> Self {
        let windows = Cache::builder().max_capacity(COUNTED_MAX).time_to_idle(WINDOW * 2).build();
        Self { start: Instant::now(), windows }
    }
}

impl Rates {
    /// Counts a request of the credential, unless there were too many.
    pub fn take(&self, credential: &str, limit: u32) -> Decision {
        let window = self.windows.get_with_by_ref(credential, Arc::default);
        let now = Instant::now().duration_since(self.start);
        let mut window = window.lock();
        window.take(now, Allowance { tries: limit, window: WINDOW })
    }
}
