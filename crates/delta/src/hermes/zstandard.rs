//! This file's job is to read and write the data of profile 1: columns in one Zstandard frame.
//!
//! For each part: the number of steps; every `add`; every `copy`; every `seek`, folded; the new bytes; the number of differences; every
//! difference; every gap, which is how many bytes lie before it, from the difference before on. Numbers are varints, differences are bytes.

use crate::error::DeltaError;
use crate::hermes::edits::{self, Step};
use crate::hermes::{broken, varint};
use crate::limits::Limits;

/// A byte of the new file takes at most so many in the frame: as a new one, or as a difference and its gap, and its share of a step.
const RAW_FACTOR: usize = 3;
/// Room for the steps of the smallest files.
const RAW_MIN_BYTES: usize = 64 << 10;
/// A step takes at least so many bytes, which bounds their number before memory is taken for them.
const STEP_MIN_BYTES: usize = 3;
/// What a step takes in memory, compared with its bytes in the frame.
const STEP_MEMORY_FACTOR: usize = size_of::<Step>() / STEP_MIN_BYTES;
/// zstd's context without a window, rounded up.
const CONTEXT_BYTES: usize = 256 << 10;

/// Reads part after part.
pub(super) struct Reader {
    raw: Vec<u8>,
    at: usize,
}

impl Reader {
    /// Opens the frame. `memory_bytes` is what the caller takes besides.
    pub(super) fn new(
        frame: &[u8],
        size_bytes: usize,
        memory_bytes: usize,
        limits: &Limits,
    ) -> Result<Self, DeltaError> {
        let raw_max_bytes = raw_max_bytes(size_bytes);
        let declared = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
        let raw_bytes = declared.and_then(|size| usize::try_from(size).ok()).filter(|&size| size <= raw_max_bytes);
        let raw_bytes = raw_bytes.ok_or_else(|| broken("the frame does not say a possible size"))?;
        let needed_bytes = raw_bytes.saturating_mul(1 + STEP_MEMORY_FACTOR).saturating_add(CONTEXT_BYTES);
        limits.check_memory(needed_bytes.saturating_add(memory_bytes))?;
        let raw = zstd::bulk::decompress(frame, raw_bytes).map_err(|error| DeltaError::Broken(error.to_string()))?;
        Ok(Self { raw, at: 0 })
    }

    /// Makes the next part of the new file from that of the old one, and returns the steps.
    pub(super) fn next(&mut self, old: &[u8], new: &mut [u8]) -> Result<Vec<Step>, DeltaError> {
        let mut rest = self.raw.get(self.at..).unwrap_or_default();
        let steps = take_steps(&mut rest)?;
        let copied = steps.iter().map(|step| step.copy).try_fold(0_usize, usize::checked_add);
        let copies = copied.and_then(|size| rest.split_off(..size)).ok_or_else(|| broken("new bytes are missing"))?;
        edits::apply(&steps, copies, old, new)?;
        let count = varint::take_count(&mut rest)?;
        let differences = rest.split_off(..count).ok_or_else(|| broken("differences are missing"))?;
        let mut later = new;
        for difference in differences {
            let gap = varint::take_count(&mut rest)?;
            let at = later.split_off_mut(gap..).and_then(|at| at.split_first_mut());
            let (byte, after) = at.ok_or_else(|| broken("a difference is outside"))?;
            *byte = byte.wrapping_add(*difference);
            later = after;
        }
        self.at = self.raw.len() - rest.len();
        Ok(steps)
    }

    /// Checks that nothing is left.
    pub(super) fn finish(&self) -> Result<(), DeltaError> {
        if self.at == self.raw.len() { Ok(()) } else { Err(broken("bytes behind the last part")) }
    }
}

fn take_steps(rest: &mut &[u8]) -> Result<Vec<Step>, DeltaError> {
    let count = varint::take_count(rest)?;
    if count > rest.len() / STEP_MIN_BYTES {
        return Err(broken("there are too many steps"));
    }
    let mut steps = vec![Step::default(); count];
    for step in &mut steps {
        step.add = varint::take_count(rest)?;
    }
    for step in &mut steps {
        step.copy = varint::take_count(rest)?;
    }
    for step in &mut steps {
        step.seek = varint::unfolded(varint::take(rest)?);
    }
    Ok(steps)
}

const fn raw_max_bytes(file_size_bytes: usize) -> usize {
    file_size_bytes.saturating_mul(RAW_FACTOR).saturating_add(RAW_MIN_BYTES)
}

/// Writes part after part.
#[cfg(feature = "encode")]
#[derive(Default)]
pub(super) struct Writer {
    raw: Vec<u8>,
}

#[cfg(feature = "encode")]
impl Writer {
    /// Writes a part; the steps make the new bytes from the old ones, up to differences.
    pub(super) fn add(&mut self, old: &[u8], new: &[u8], steps: &[Step]) {
        let raw = &mut self.raw;
        varint::put(raw, steps.len() as u64);
        steps.iter().for_each(|step| varint::put(raw, step.add as u64));
        steps.iter().for_each(|step| varint::put(raw, step.copy as u64));
        steps.iter().for_each(|step| varint::put(raw, varint::folded(step.seek)));
        let (mut differences, mut gaps) = (Vec::new(), Vec::new());
        let (mut position, mut at, mut after) = (0, 0, 0);
        for step in steps {
            for (index, (new, old)) in new[at..at + step.add].iter().zip(&old[position..]).enumerate() {
                if new != old {
                    differences.push(new.wrapping_sub(*old));
                    varint::put(&mut gaps, (at + index - after) as u64);
                    after = at + index + 1;
                }
            }
            at += step.add;
            raw.extend_from_slice(&new[at..at + step.copy]);
            at += step.copy;
            position = step.next(position).unwrap_or(0);
        }
        varint::put(raw, differences.len() as u64);
        raw.append(&mut differences);
        raw.append(&mut gaps);
    }

    /// Returns the frame; none when it is too large for a reader.
    pub(super) fn finish(self, size_bytes: usize, level: i32) -> Result<Option<Vec<u8>>, DeltaError> {
        if self.raw.len() > raw_max_bytes(size_bytes) {
            return Ok(None);
        }
        let frame = zstd::bulk::compress(&self.raw, level).map_err(|error| DeltaError::Encoder(error.to_string()))?;
        Ok(Some(frame))
    }
}
