//! This file's job is to keep answers that many devices get.
//!
//! Not moka, as elsewhere: it looks at the clock and queues a note for each reading, which would be a twentieth of the edge's own work for a
//! check.

use super::answer::{Answer, AnswerKey};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use std::sync::Arc;

/// Few enough for each to hold the longest answers, with thousands of files, even where memory is short.
const PARTS: usize = 8;
/// The key and the cache's own entry are about as large as a small answer.
const OVERHEAD_BYTES: u64 = 256;
/// Half of the answers say that nothing is new, the others list a few dozen files.
const USUAL_BYTES: u64 = 4_096;

/// Answers by what they depend on. That is a digest and small numbers, which no device chooses freely: a fast hash is enough.
pub(crate) struct Answers(Cache<AnswerKey, Arc<Answer>, Bytes, ahash::RandomState>);

#[derive(Clone)]
struct Bytes;

impl Weighter<AnswerKey, Arc<Answer>> for Bytes {
    fn weight(&self, _: &AnswerKey, answer: &Arc<Answer>) -> u64 {
        answer.body.len() as u64 + OVERHEAD_BYTES
    }
}

impl Answers {
    /// Keeps as many as take so many bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .weight_capacity(max_bytes)
            .estimated_items_capacity(usize::try_from(max_bytes / USUAL_BYTES).unwrap_or(usize::MAX))
            .build()
            .expect("both capacities are given");
        Self(Cache::with_options(options, Bytes, ahash::RandomState::new(), DefaultLifecycle::default()))
    }

    /// Returns the answer for the key. Two who need one that is not there may both make it.
    pub(crate) fn get_or_make(
        &self,
        key: AnswerKey,
        make: impl FnOnce(&AnswerKey) -> Option<Answer>,
    ) -> Option<Arc<Answer>> {
        if let Some(answer) = self.0.get(&key) {
            return Some(answer);
        }
        let answer = Arc::new(make(&key)?);
        self.0.insert(key, answer.clone());
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::query::Codings;
    use domain::Sha256;
    use domain::decide::{Decision, NothingReason};
    use http::HeaderValue;

    fn key(number: u32) -> AnswerKey {
        AnswerKey {
            snapshot: Sha256::of(&number.to_be_bytes()),
            decision: Decision::Nothing(NothingReason::UpToDate),
            delta: None,
            codings: Codings::default(),
            check_class: 0,
        }
    }

    fn answer(number: u32, bytes: usize) -> Answer {
        Answer { body: vec![number as u8; bytes].into(), etag: HeaderValue::from_static("\"tag\"") }
    }

    #[test]
    fn an_answer_is_made_once_and_the_memory_for_all_is_bounded() {
        const MAX_BYTES: u64 = 1 << 20;
        const BYTES: usize = 10_000;
        let answers = Answers::new(MAX_BYTES);
        for number in 0..1_000 {
            assert_eq!(answers.get_or_make(key(number), |_| Some(answer(number, BYTES))).unwrap().body.len(), BYTES);
            let again = answers.get_or_make(key(number), |_| panic!("it was just made")).unwrap();
            assert_eq!(again.body[0], number as u8);
        }
        assert!(answers.0.weight() <= MAX_BYTES && answers.0.weight() > MAX_BYTES / 2, "{}", answers.0.weight());
        assert!(answers.get_or_make(key(5_000), |_| None).is_none());
    }
}
