//! This file's job is to let the fuzzer feed what is read back from text columns.
//!
//! Each function panics when something is broken that must hold for any input.

use crate::queue::payload;
use domain::job::JobKind;

/// The payload of a job is understood, and then written and read the same, or refused.
pub fn job_payload(text: &str) {
    for &kind in JobKind::ALL {
        if let Ok(job) = payload::decode(kind, text) {
            assert_eq!(payload::decode(kind, &payload::encode(&job)).ok().as_ref(), Some(&job));
        }
    }
}
