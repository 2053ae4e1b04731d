//! This file's job is to find places for the literals whose indexes of strings have changed.
//!
//! Where they stand in the file is no use: the compiler lets literals share bytes wherever they are the same, also where one's index of a
//! string is another's beginning, and with other indexes they are not. So the buffers and shapes become those of the base, too.

use crate::hermes::bytes::{put, read, read_u32};
use crate::hermes::layout::PAIR_SIZE_BYTES;
use crate::hermes::literals::{LENGTH_MASK, LONG, TYPE_MASK, value};
use crate::hermes::renumber::numbers::Numbers;
use crate::hermes::renumber::program::{Literal, Place, Program};
use crate::hermes::version::Generation;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Some values of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it begins: at its tag.
    pub(super) at: usize,
    /// Where its values begin.
    values: usize,
    /// Size of a value.
    pub(super) width: usize,
    /// How many of the values the literal takes.
    length: usize,
    pub(super) is_text: bool,
}

impl Run {
    /// Returns where the next one begins.
    pub(super) const fn next(&self) -> usize {
        self.values + self.width * self.length
    }

    /// Returns where its values are.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let Self { values, width, .. } = *self;
        (0..self.length).map(move |index| Place { at: values + index * width, width })
    }

    /// Returns the type of its values, as the tag has it.
    pub(super) fn kind(&self, file: &[u8]) -> u8 {
        file[self.at] & TYPE_MASK
    }

    /// Returns the tag for the number of values that are taken, which may be fewer than it has.
    fn tag(&self, file: &[u8]) -> Vec<u8> {
        let kind = file[self.at] & !LENGTH_MASK;
        match kind & LONG {
            0 => vec![kind | self.length as u8],
            _ => vec![kind | (self.length >> 8) as u8, self.length as u8],
        }
    }
}

/// Returns the runs that make up so many values. None when the buffer, which ends where `file` does, ends before.
pub(super) fn runs(file: &[u8], start: usize, count: usize, generation: Generation) -> Option<Vec<Run>> {
    let (mut runs, mut at, mut left) = (Vec::new(), start, count);
    while left > 0 {
        let tag = *file.get(at)?;
        let short = usize::from(tag & LENGTH_MASK);
        let (length, values) = match tag & LONG {
            0 => (short, at + 1),
            _ => (short << 8 | usize::from(*file.get(at + 1)?), at + 2),
        };
        let (width, is_text) = value(tag, generation);
        let run = Run { at, values, width, length: length.min(left), is_text };
        if run.length == 0 || run.next() > file.len() {
            return None;
        }
        (at, left) = (run.next(), left - run.length);
        runs.push(run);
    }
    Some(runs)
}

/// The new literals: the base's, with what is new behind them.
pub(super) struct Literals {
    /// The buffers, in the order of the layout.
    pub(super) buffers: Vec<Vec<u8>>,
    /// The table of shapes.
    pub(super) shapes: Vec<u8>,
    /// The new number of each shape.
    shape_numbers: Vec<u32>,
    offsets: HashMap<Literal, u32>,
}

impl Literals {
    /// Finds a place for every literal of the program. None when a number does not fit.
    pub(super) fn place(base: &Program<'_>, program: &Program<'_>, numbers: &Numbers) -> Option<Self> {
        let buffers = base.layout.buffers.iter().map(|buffer| base.file.get(buffer.clone()).map(<[u8]>::to_vec));
        let shapes = base.file.get(base.layout.shapes.clone())?.to_vec();
        let mut literals = Self {
            buffers: buffers.collect::<Option<_>>()?,
            shapes,
            shape_numbers: Vec::with_capacity(program.shapes.len()),
            offsets: HashMap::with_capacity(program.runs.len()),
        };
        let mut known = HashMap::with_capacity(base.runs.len());
        for (literal, runs) in &base.runs {
            let offset = u32::try_from(literal.start - base.layout.buffers.get(literal.buffer)?.start).ok()?;
            known.entry((literal.buffer, bytes(base.file, runs, Some)?)).or_insert(offset);
        }
        for (literal, runs) in &program.runs {
            let content = bytes(program.file, runs, |text| numbers.of(text))?;
            let buffer = literals.buffers.get_mut(literal.buffer)?;
            let offset = match known.entry((literal.buffer, content)) {
                Entry::Occupied(found) => *found.get(),
                Entry::Vacant(missing) => {
                    let offset = u32::try_from(buffer.len()).ok()?;
                    buffer.extend_from_slice(&missing.key().1);
                    *missing.insert(offset)
                }
            };
            literals.offsets.insert(*literal, offset);
        }
        literals.place_shapes(base, program)?;
        Some(literals)
    }

    /// Finds a number for every shape. Two of the same keys stay two.
    fn place_shapes(&mut self, base: &Program<'_>, program: &Program<'_>) -> Option<()> {
        let mut known: HashMap<(u32, u32), Vec<u32>> = HashMap::with_capacity(base.shapes.len());
        for index in (0..base.shapes.len()).rev() {
            let at = index * PAIR_SIZE_BYTES;
            let entry = (read_u32(&self.shapes, at)?, read_u32(&self.shapes, at + 4)?);
            known.entry(entry).or_default().push(index as u32);
        }
        for keys in &program.shapes {
            let entry = (self.offset(keys)?, keys.count);
            let number = match known.get_mut(&entry).and_then(Vec::pop) {
                Some(number) => number,
                None => {
                    self.shapes.extend([entry.0, entry.1].iter().flat_map(|number| number.to_le_bytes()));
                    u32::try_from(self.shapes.len() / PAIR_SIZE_BYTES - 1).ok()?
                }
            };
            self.shape_numbers.push(number);
        }
        Some(())
    }

    /// Returns the new offset of a literal in its buffer.
    pub(super) fn offset(&self, literal: &Literal) -> Option<u32> {
        self.offsets.get(literal).copied()
    }

    /// Returns the new number of a shape.
    pub(super) fn shape(&self, number: u32) -> Option<u32> {
        self.shape_numbers.get(number as usize).copied()
    }
}

/// Returns a literal on its own, with other indexes of strings.
fn bytes(file: &[u8], runs: &[Run], number: impl Fn(u32) -> Option<u32>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for run in runs {
        bytes.extend(run.tag(file));
        for place in run.places() {
            let value = bytes.len();
            bytes.extend_from_slice(file.get(place.at..place.at + place.width)?);
            if run.is_text {
                put(&mut bytes, value, place.width, number(read(file, place.at, place.width)?)?)?;
            }
        }
    }
    Some(bytes)
}
