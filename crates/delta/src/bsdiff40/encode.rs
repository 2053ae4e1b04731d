//! This file's job is to make BSDIFF40 patches: to divide the new file in several ways, and to keep the smallest patch.

use crate::INPUT_MAX_BYTES;
use crate::bsdiff40::costs::{Costs, Paid, Scale};
use crate::bsdiff40::parse::Finder;
use crate::bsdiff40::segments::{Blocks, Segment};
use crate::bsdiff40::suffixes::Suffixes;
use crate::bsdiff40::{HEADER_SIZE_BYTES, MAGIC, classic, number, parse};
use crate::budget::{Budget, Effort};
use crate::bzip2;
use crate::error::DeltaError;
use std::io::Read as _;

/// How often prices are learned anew.
const QUICK_LESSONS: usize = 2;
const BEST_LESSONS: usize = 3;
/// What is tried with the best prices: a step may really cost more or less than on average, and so may bytes.
const SCALES: [Scale; 6] = [
    Scale { step: 0.7, fresh: 1.0, difference: 1.0 },
    Scale { step: 1.4, fresh: 1.0, difference: 1.0 },
    Scale { step: 1.0, fresh: 0.85, difference: 1.0 },
    Scale { step: 1.0, fresh: 1.15, difference: 1.0 },
    Scale { step: 1.0, fresh: 1.0, difference: 0.85 },
    Scale { step: 1.0, fresh: 1.0, difference: 1.15 },
];
/// Blocks, records of the parse and the compressor's work, for each byte of the new file.
const WORK_FACTOR: usize = 14;

/// Makes the BSDIFF40 patch that turns `base` into `target`. With the best effort, it is no larger than that of `bsdiff` 4.3.
///
/// `None` when a file is larger than [`INPUT_MAX_BYTES`], when the budget is too small, or spent before there was a patch.
///
/// # Errors
/// When the library for bzip2 fails.
pub fn encode(base: &[u8], target: &[u8], effort: Effort, budget: &Budget<'_>) -> Result<Option<Vec<u8>>, DeltaError> {
    let memory_bytes = base.len() * Suffixes::MEMORY_FACTOR + target.len() * (Finder::MEMORY_FACTOR + WORK_FACTOR);
    if base.len() > INPUT_MAX_BYTES || target.len() > INPUT_MAX_BYTES || !budget.allows(memory_bytes) {
        return Ok(None);
    }
    let Some(found) = search(base, target, effort, budget)? else { return Ok(None) };
    let patch = found.best.blocks.finish(target.len(), effort, budget)?;
    if effort == Effort::Quick {
        return Ok(Some(patch));
    }
    let stock = found.as_bsdiff.finish(target.len(), effort, budget)?;
    Ok(Some(if stock.len() < patch.len() { stock } else { patch }))
}

/// Divides `target` into parts that are like parts of `base` and fresh ones: at once as `bsdiff` does, or as cheaply as can be found.
/// `None` when the budget is spent.
pub(crate) fn divide(
    base: &[u8],
    target: &[u8],
    effort: Effort,
    budget: &Budget<'_>,
) -> Result<Option<Vec<Segment>>, DeltaError> {
    Ok(match effort {
        Effort::Quick => classic::divide(base, target, &Suffixes::new(base), budget).map(|divided| divided.segments),
        Effort::Best => search(base, target, Effort::Quick, budget)?.map(|found| found.best.segments),
    })
}

/// What a search found.
struct Found {
    best: Trial,
    /// The division of `bsdiff`, with its own steps.
    as_bsdiff: Blocks,
}

/// Searches for the best division. `None` when the budget is spent before there is one.
fn search(base: &[u8], target: &[u8], effort: Effort, budget: &Budget<'_>) -> Result<Option<Found>, DeltaError> {
    let suffixes = Suffixes::new(base);
    let Some(divided) = classic::divide(base, target, &suffixes, budget) else { return Ok(None) };
    let mut finder = Finder::new(base, target, &suffixes);
    let classic = Trial::make(base, target, divided.segments, budget)?;
    let as_bsdiff = Blocks { control: divided.control, ..classic.blocks.clone() };
    let mut search = Search { base, target, budget, best: classic };
    let lessons = match effort {
        Effort::Quick => QUICK_LESSONS,
        Effort::Best => BEST_LESSONS,
    };
    search.learn(&mut finder, lessons)?;
    if effort == Effort::Best {
        search.scale(&mut finder)?;
    }
    Ok(Some(Found { best: search.best, as_bsdiff }))
}

/// A division with what it costs.
struct Trial {
    segments: Vec<Segment>,
    blocks: Blocks,
    paid: Paid,
    costs: Costs,
}

/// The search for the best division.
struct Search<'a> {
    base: &'a [u8],
    target: &'a [u8],
    budget: &'a Budget<'a>,
    best: Trial,
}

impl Search<'_> {
    /// Divides with the prices that the last division teaches, several times over.
    fn learn(&mut self, finder: &mut Finder<'_>, lessons: usize) -> Result<(), DeltaError> {
        let mut costs = self.best.costs.clone();
        for _ in 0..lessons {
            match self.attempt(&costs, finder)? {
                Some(learned) => costs = learned,
                None => break,
            }
        }
        Ok(())
    }

    /// Divides with changed prices; a change that helps stays.
    fn scale(&mut self, finder: &mut Finder<'_>) -> Result<(), DeltaError> {
        let mut costs = self.best.costs.clone();
        for scale in SCALES {
            let before = self.best.size_bytes();
            let scaled = costs.scaled(scale);
            if self.attempt(&scaled, finder)?.is_none() {
                break;
            }
            if self.best.size_bytes() < before {
                costs = scaled;
            }
        }
        Ok(())
    }

    /// Divides with these prices, keeps the division when it is the best so far, and returns the prices it teaches.
    fn attempt(&mut self, costs: &Costs, finder: &mut Finder<'_>) -> Result<Option<Costs>, DeltaError> {
        let Some(segments) = parse::divide(costs, finder, self.budget) else { return Ok(None) };
        if segments == self.best.segments {
            return Ok(None);
        }
        let trial = Trial::make(self.base, self.target, segments, self.budget)?;
        let learned = trial.costs.clone();
        if trial.size_bytes() < self.best.size_bytes() {
            self.best = trial;
        }
        Ok(Some(learned))
    }
}

impl Trial {
    fn make(base: &[u8], target: &[u8], segments: Vec<Segment>, budget: &Budget<'_>) -> Result<Self, DeltaError> {
        let blocks = Blocks::make(base, target, &segments);
        let size = |block: &[u8]| -> Result<usize, DeltaError> { Ok(smallest(block, Effort::Quick, budget)?.len()) };
        let paid = Paid {
            control_bytes: size(&blocks.control)?,
            difference_bytes: size(&blocks.difference)?,
            extra_bytes: size(&blocks.extra)?,
        };
        Ok(Self { segments, costs: Costs::learn(&blocks, paid), blocks, paid })
    }

    const fn size_bytes(&self) -> usize {
        self.paid.control_bytes + self.paid.difference_bytes + self.paid.extra_bytes
    }
}

impl Blocks {
    /// Compresses the blocks and puts the patch together.
    fn finish(&self, output_bytes: usize, effort: Effort, budget: &Budget<'_>) -> Result<Vec<u8>, DeltaError> {
        let control = smallest(&self.control, effort, budget)?;
        let difference = smallest(&self.difference, effort, budget)?;
        let extra = smallest(&self.extra, effort, budget)?;
        let mut patch = Vec::with_capacity(HEADER_SIZE_BYTES + control.len() + difference.len() + extra.len());
        patch.extend_from_slice(MAGIC);
        for size in [control.len(), difference.len(), output_bytes] {
            patch.extend_from_slice(&number::write(size as i64));
        }
        for block in [control, difference, extra] {
            patch.extend_from_slice(&block);
        }
        Ok(patch)
    }
}

/// Compresses a block with our compressor, or with libbz2 should that ever be smaller.
fn smallest(block: &[u8], effort: Effort, budget: &Budget<'_>) -> Result<Vec<u8>, DeltaError> {
    let ours = bzip2::compress(block, effort, budget);
    if effort == Effort::Quick {
        return Ok(ours);
    }
    let mut theirs = Vec::new();
    let mut encoder = ::bzip2::read::BzEncoder::new(block, ::bzip2::Compression::best());
    encoder.read_to_end(&mut theirs).map_err(|error| DeltaError::Encoder(error.to_string()))?;
    Ok(if theirs.len() < ours.len() { theirs } else { ours })
}
