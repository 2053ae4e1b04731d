//! This file's job is to make `hbc-delta` patches.

use crate::INPUT_MAX_BYTES;
use crate::bsdiff40::{Segment, Source, divide};
use crate::budget::{Budget, Effort};
use crate::error::DeltaError;
use crate::hermes::adaptive::{self, Grammar};
use crate::hermes::code::{self, Maps};
use crate::hermes::container::{Head, Profile, Sizes};
use crate::hermes::decode::decode;
use crate::hermes::edits::{Alignment, Step};
use crate::hermes::layout::Layout;
use crate::hermes::parts::Parts;
use crate::hermes::{strings, zstandard};
use crate::limits::Limits;
use sha2::{Digest as _, Sha256};

/// The highest levels are affordable: what is compressed is a hundredth of the file.
const LEVEL: i32 = 22;
/// Measured: parts, suffixes, records of the parse and the compressor's tables, for each byte of the larger file.
const MEMORY_FACTOR: usize = 40;

/// Makes the `hbc-delta` patch that turns `base` into `target`, both Hermes bytecode of the same version.
///
/// `None` when they are not, or are odd in some way that the format does not provide for; when a file is larger than
/// [`INPUT_MAX_BYTES`]; when the budget is too small or spent. What is returned has been applied once.
///
/// # Errors
/// When the compressor fails.
pub fn encode(
    base: &[u8],
    target: &[u8],
    profile: Profile,
    effort: Effort,
    budget: &Budget<'_>,
) -> Result<Option<Vec<u8>>, DeltaError> {
    let longest = base.len().max(target.len());
    if longest > INPUT_MAX_BYTES || !budget.allows(longest * MEMORY_FACTOR) {
        return Ok(None);
    }
    let (Some(old), Some(new)) = (take(base), take(target)) else { return Ok(None) };
    if old.layout.version.number() != new.layout.version.number() {
        return Ok(None);
    }
    let sink = match profile {
        Profile::Zstandard => Sink::Zstandard(zstandard::Writer::default()),
        Profile::Adaptive => Sink::Adaptive(Box::new(adaptive::Writer::new())),
    };
    let sizes = Sizes {
        texts: new.texts.len(),
        literals: new.literals.len(),
        functions: new.functions.len(),
        code: new.code.len(),
    };
    let search = Search { base, target, effort, budget, sink, grammar: Grammar::Entries };
    let Some(data) = search.run(old, &new)? else { return Ok(None) };
    let head = Head {
        profile,
        base_sha256: Sha256::digest(base).into(),
        result_sha256: Sha256::digest(target).into(),
        size_bytes: target.len() as u32,
        sizes,
    };
    let patch = [head.bytes(), data].concat();
    // What the format does not provide for, such as other hashes of identifiers, shows here.
    let limits = Limits { output_max_bytes: target.len(), memory_max_bytes: usize::MAX };
    Ok(decode(base, &patch, profile, &limits).is_ok().then_some(patch))
}

fn take(file: &[u8]) -> Option<Parts> {
    Parts::take(file, Layout::parse(file)?)
}

/// Where parts go.
enum Sink {
    Zstandard(zstandard::Writer),
    Adaptive(Box<adaptive::Writer>),
}

/// A patch that is being made.
struct Search<'a> {
    base: &'a [u8],
    target: &'a [u8],
    effort: Effort,
    budget: &'a Budget<'a>,
    sink: Sink,
    /// Of the part that is being made.
    grammar: Grammar,
}

impl Search<'_> {
    /// Writes all parts, in the order and with the guesses of the decoder.
    fn run(mut self, mut old: Parts, new: &Parts) -> Result<Option<Vec<u8>>, DeltaError> {
        let texts = strings::list(self.base, &old.layout).zip(strings::list(self.target, &new.layout));
        let Some((old_texts, new_texts)) = texts else { return Ok(None) };
        if self.part(&old.texts, &new.texts)?.is_none() {
            return Ok(None);
        }
        let map = strings::map(&old_texts, &new_texts);
        let instructions = old.layout.version.instructions();
        old.replace_texts(self.base, &instructions, &map);
        let Some(literals) = self.part(&old.literals, &new.literals)? else { return Ok(None) };
        let Some(functions) = self.part(&old.functions, &new.functions)? else { return Ok(None) };
        let maps = Maps {
            old: &old.layout,
            new: &new.layout,
            texts: &map,
            literals: &Alignment::new(&literals),
            functions: &Alignment::new(&functions),
        };
        let Some(guess) = code::guess(self.base, &old, &instructions, &maps) else { return Ok(None) };
        self.grammar = Grammar::of_code(&guess, &old.codes, old.code.start, &instructions);
        if self.part(&guess, &self.target[new.code.clone()])?.is_none() {
            return Ok(None);
        }
        match self.sink {
            Sink::Zstandard(writer) => writer.finish(self.target.len(), LEVEL),
            Sink::Adaptive(writer) => Ok(Some(writer.finish())),
        }
    }

    /// Finds and writes the steps of one part. None when the budget is spent.
    fn part(&mut self, old: &[u8], new: &[u8]) -> Result<Option<Vec<Step>>, DeltaError> {
        let steps = if old == new {
            vec![Step { add: new.len(), copy: 0, seek: 0 }]
        } else {
            match divide(old, new, self.effort, self.budget)? {
                Some(segments) => follow(&segments),
                None => return Ok(None),
            }
        };
        match &mut self.sink {
            Sink::Zstandard(writer) => writer.add(old, new, &steps),
            Sink::Adaptive(writer) => writer.add(old, &self.grammar, new, &steps)?,
        }
        Ok(Some(steps))
    }
}

/// Turns segments into steps.
fn follow(segments: &[Segment]) -> Vec<Step> {
    let mut steps = vec![Step::default()];
    let mut position = 0_i64;
    for segment in segments {
        let length = segment.length as usize;
        let last = steps.len() - 1;
        match segment.source {
            Source::Fresh => steps[last].copy += length,
            Source::Old(shift) => {
                let start = i64::from(segment.start) + i64::from(shift);
                steps[last].seek = start - position;
                steps.push(Step { add: length, copy: 0, seek: 0 });
                position = start + i64::from(segment.length);
            }
        }
    }
    if steps[0] == Step::default() {
        steps.remove(0);
    }
    steps
}
