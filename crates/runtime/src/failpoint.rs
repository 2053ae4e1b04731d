//! This file's job is to let fault tests crash a process at a named point, or break one of its guards to see what it guards against.
//!
//! `ALOFT_FAILPOINTS=worker.before-commit=crash,worker.one-transaction=break` is read by debug builds only; in a release build every
//! function here is empty. A point that is passed again and again crashes with `crash-sometimes` at one pass in eight.

use crate::random;

/// Names what happens where.
#[cfg(debug_assertions)]
const VARIABLE: &str = "ALOFT_FAILPOINTS";

/// One pass in this many crashes at a point that crashes sometimes.
const SOMETIMES: u64 = 8;

/// Ends the process here and now, with no chance to clean up, when a test wants that.
pub fn crash_at(point: &str) {
    if wants(point, "crash") || (wants(point, "crash-sometimes") && random::below(SOMETIMES) == 0) {
        std::process::abort();
    }
}

/// Says whether a test wants this guard to be left out.
#[must_use]
pub fn is_broken(guard: &str) -> bool {
    wants(guard, "break")
}

#[cfg(debug_assertions)]
fn wants(name: &str, action: &str) -> bool {
    std::env::var(VARIABLE).is_ok_and(|text| lists(&text, name, action))
}

#[cfg(not(debug_assertions))]
const fn wants(_name: &str, _action: &str) -> bool {
    false
}

#[cfg(debug_assertions)]
fn lists(text: &str, name: &str, action: &str) -> bool {
    text.split(',').any(|entry| entry.split_once('=') == Some((name, action)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_happens() {
        let text = "worker.before-commit=crash,db.run-again=break";
        assert!(lists(text, "worker.before-commit", "crash") && lists(text, "db.run-again", "break"));
        assert!(!lists(text, "worker.before-commit", "break") && !lists(text, "worker.before", "crash"));
        assert!(!lists("", "", "crash") && !is_broken("nothing.is-set"));
    }
}
