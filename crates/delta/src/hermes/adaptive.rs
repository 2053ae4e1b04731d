//! This file's job is to read and write the data of profile 2: every decision as a bit, at the price that what came before gives it.
//!
//! The same code runs in both directions: where the encoder knows a value, the decoder has nothing yet and takes what the coder returns. So
//! the two cannot disagree. All arithmetic is that of integers, so that every machine gets the same.

mod coder;
mod grammar;
mod mixer;
mod models;
mod numbers;

#[cfg(feature = "encode")]
use coder::Encoder;
use coder::{Coder, Decoder};
pub(super) use grammar::Grammar;
use models::Models;

use crate::error::DeltaError;
use crate::hermes::broken;
use crate::hermes::edits::Step;
use crate::limits::Limits;

/// What the models take, rounded up.
const MODELS_BYTES: usize = 16 << 20;
/// Bytes that are looked at together: most are as the old ones.
const RUN_BYTES: usize = 16;

/// Reads part after part.
pub(super) struct Reader<'a> {
    coder: Decoder<'a>,
    models: Models,
}

impl<'a> Reader<'a> {
    /// Begins to read. `memory_bytes` is what the caller takes besides.
    pub(super) fn new(
        data: &'a [u8],
        base_bytes: usize,
        memory_bytes: usize,
        limits: &Limits,
    ) -> Result<Self, DeltaError> {
        let grammar_bytes = base_bytes.saturating_mul(size_of::<grammar::Role>());
        limits.check_memory(memory_bytes.saturating_add(grammar_bytes).saturating_add(MODELS_BYTES))?;
        Ok(Self { coder: Decoder::new(data), models: Models::new() })
    }

    /// Makes the next part of the new file from that of the old one, and returns the steps.
    pub(super) fn next(&mut self, old: &[u8], grammar: &Grammar, new: &mut [u8]) -> Result<Vec<Step>, DeltaError> {
        code(&mut self.coder, &mut self.models, (old, grammar), new, &[])
    }

    /// Checks that nothing is left, or was missing.
    pub(super) fn finish(&self) -> Result<(), DeltaError> {
        self.coder.finish()
    }
}

/// Writes part after part.
#[cfg(feature = "encode")]
pub(super) struct Writer {
    coder: Encoder,
    models: Models,
}

#[cfg(feature = "encode")]
impl Writer {
    pub(super) fn new() -> Self {
        Self { coder: Encoder::default(), models: Models::new() }
    }

    /// Writes a part; the steps make the new bytes from the old ones, up to differences.
    pub(super) fn add(&mut self, old: &[u8], grammar: &Grammar, new: &[u8], steps: &[Step]) -> Result<(), DeltaError> {
        code(&mut self.coder, &mut self.models, (old, grammar), &mut new.to_vec(), steps).map(drop)
    }

    /// Returns the data.
    pub(super) fn finish(self) -> Vec<u8> {
        self.coder.finish()
    }
}

/// Codes a part. An encoder has `new` and `known`, a decoder the size of `new` only.
fn code(
    coder: &mut impl Coder,
    models: &mut Models,
    (old, grammar): (&[u8], &Grammar),
    new: &mut [u8],
    known: &[Step],
) -> Result<Vec<Step>, DeltaError> {
    let outside = || broken("a step is too long");
    models.begin_part();
    let (mut steps, mut at, mut position) = (Vec::new(), 0_usize, 0_usize);
    while at < new.len() {
        let mut step = known.get(steps.len()).copied().unwrap_or_default();
        step.add = models.numbers.add(coder, step.add).filter(|&add| add <= new.len() - at).ok_or_else(outside)?;
        let rest = new.len() - at - step.add;
        step.copy = models.numbers.copy(coder, step.copy).filter(|&copy| copy <= rest).ok_or_else(outside)?;
        // The first step may only move; more of these would never end.
        if step.add == 0 && step.copy == 0 && !steps.is_empty() {
            return Err(broken("a step makes nothing"));
        }
        let end = position.checked_add(step.add).filter(|&end| end <= old.len()).ok_or_else(outside)?;
        for start in (position..end).step_by(RUN_BYTES) {
            let run = start..end.min(start + RUN_BYTES);
            let size = run.len();
            models.run(coder, (old, grammar), run, &mut new[at..at + size], at);
            at += size;
        }
        for _ in 0..step.copy {
            models.fresh(coder, (old, grammar), new, at);
            at += 1;
        }
        if at < new.len() {
            step.seek = models.numbers.seek(coder, step.seek);
            position = step.next(position).ok_or_else(outside)?;
        }
        steps.push(step);
    }
    Ok(steps)
}

#[cfg(feature = "encode")]
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(parts: &[(Vec<u8>, Vec<u8>, Vec<Step>)]) -> usize {
        let mut writer = Writer::new();
        parts.iter().for_each(|(old, new, steps)| writer.add(old, &Grammar::Entries, new, steps).unwrap());
        let data = writer.finish();
        let mut reader = Reader::new(&data, 0, 0, &Limits::output(0)).unwrap();
        for (old, new, _) in parts {
            let mut made = vec![0; new.len()];
            reader.next(old, &Grammar::Entries, &mut made).unwrap();
            assert!(made == *new);
        }
        reader.finish().unwrap();
        data.len()
    }

    #[test]
    fn what_is_as_before_costs_next_to_nothing() {
        let old: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
        let mut new = old.clone();
        (0..new.len()).step_by(100).for_each(|at| new[at] = new[at].wrapping_add(4));
        let step = Step { add: old.len(), copy: 0, seek: 0 };
        assert!(round_trip(&[(old.clone(), old.clone(), vec![step])]) < 20);
        let size = round_trip(&[(old, new, vec![step])]);
        assert!(size < 1_200, "{size} bytes for a thousand differences");
    }

    #[test]
    fn the_first_step_may_only_move() {
        let old: Vec<u8> = (0..100).collect();
        let steps = vec![Step { add: 0, copy: 0, seek: 40 }, Step { add: 60, copy: 0, seek: 0 }];
        round_trip(&[(old.clone(), old[40..].to_vec(), steps)]);
    }

    #[test]
    fn data_that_is_cut_or_goes_on_is_an_error() {
        let new: Vec<u8> = (0..300_u32).map(|i| ((i * i) >> 3) as u8).collect();
        let mut writer = Writer::new();
        writer.add(&[], &Grammar::Entries, &new, &[Step { add: 0, copy: new.len(), seek: 0 }]).unwrap();
        let data = writer.finish();
        let read = |data: &[u8]| {
            let mut reader = Reader::new(data, 0, 0, &Limits::output(0)).unwrap();
            reader.next(&[], &Grammar::Entries, &mut vec![0; new.len()]).and_then(|_| reader.finish())
        };
        assert!(read(&data).is_ok());
        assert!(read(&data[..data.len() / 2]).is_err());
        assert!(read(&[&data[..], &[0]].concat()).is_err());
        let poor = Limits { output_max_bytes: 0, memory_max_bytes: MODELS_BYTES };
        assert!(Reader::new(&data, 0, 1, &poor).is_err());
    }

    proptest! {
        #[test]
        fn any_part_comes_back(
            parts in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..200), proptest::collection::vec(any::<u8>(), 0..300), 0_usize..200),
                0..5,
            ),
        ) {
            let parts: Vec<_> = parts.into_iter().map(|(old, new, add)| {
                let add = add.min(old.len()).min(new.len());
                let steps = vec![Step { add, copy: new.len() - add, seek: 0 }];
                (old, new, steps)
            }).collect();
            round_trip(&parts);
        }

        #[test]
        fn no_data_makes_reading_panic(data in proptest::collection::vec(any::<u8>(), 0..200), old in 0_usize..100) {
            let mut reader = Reader::new(&data, 0, 0, &Limits::output(0)).unwrap();
            let old = vec![7; old];
            for size in [40, 0, 100] {
                let _ = reader.next(&old, &Grammar::Entries, &mut vec![0; size]);
            }
            let _ = reader.finish();
        }
    }
}
