//! This file's job is to replace the indexes of strings in a file's literals.
//!
//! The buffers of values and keys hold runs: a byte with 1 bit that the length has 12 bits, 3 bits of type, 4 bits of length; for long runs
//! a byte with the low bits of the length; then the values, of the type's size. Literals overlap where one ends as another begins. So runs
//! are followed only from where an instruction or a shape points to, and for as many values as it takes.

use crate::hermes::bytes::{read, read_u32, write};
use crate::hermes::functions::{Code, Direction};
use crate::hermes::layout::{Layout, PAIR_SIZE_BYTES};
use crate::hermes::strings::NONE;
use crate::hermes::tables::{Instruction, Instructions, Meaning};
use crate::hermes::version::Generation;

pub(super) const LENGTH_MASK: u8 = 0x0f;
pub(super) const TYPE_MASK: u8 = 0x70;
pub(super) const LONG: u8 = 0x80;
/// Literals overlap little in real files. Lest odd files take minutes, no more runs than this are followed for each byte.
const RUNS_MAX_FACTOR: usize = 2;

/// Size of a value, and whether it is the index of a string.
pub(super) const fn value(tag: u8, generation: Generation) -> (usize, bool) {
    match (tag & TYPE_MASK, generation) {
        (0x30, _) => (8, false),
        (0x40, _) => (4, true),
        (0x50, _) => (2, true),
        (0x60, Generation::Buffers) => (1, true),
        (0x70, _) => (4, false),
        (_, _) => (0, false),
    }
}

/// A literal: where it begins in the file, where its buffer ends, and how many values it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Literal {
    start: u32,
    end: u32,
    count: u32,
}

/// Replaces the indexes in the literals, which begin at `layout.literals` in `file`. What does not fit its width stays.
pub(super) fn replace_texts(
    literals: &mut [u8],
    file: &[u8],
    layout: &Layout,
    codes: &[Code],
    instructions: &Instructions,
    map: &[u32],
) {
    let generation = layout.version.generation;
    let mut runs_left = RUNS_MAX_FACTOR * literals.len();
    // An index may be part of several literals, but must be replaced once.
    let mut replaced = vec![false; literals.len()];
    for literal in list(file, layout, codes, instructions) {
        follow(file, literal, generation, &mut runs_left, &mut |at, width| {
            let at = at - layout.literals;
            if !std::mem::replace(&mut replaced[at], true) {
                replace(literals, at, width, map);
            }
        });
    }
}

/// Replaces the offsets of keys in the shapes by their distance from the shape before, or the other way round.
pub(super) fn convert_shapes(shapes: &mut [u8], direction: Direction) {
    let mut before = 0_u32;
    for shape in shapes.chunks_exact_mut(PAIR_SIZE_BYTES) {
        let Some(stored) = read_u32(shape, 0) else { return };
        let (absolute, converted) = direction.convert(stored, before);
        before = absolute;
        // In bounds: it was read there.
        let _ = write(shape, 0, 4, converted);
    }
}

/// Lists the literals that shapes and instructions point to.
fn list(file: &[u8], layout: &Layout, codes: &[Code], instructions: &Instructions) -> Vec<Literal> {
    let mut literals = Vec::new();
    for shape in layout.shapes.clone().step_by(PAIR_SIZE_BYTES) {
        let entry = read_u32(file, shape).zip(read_u32(file, shape + 4));
        literals.extend(entry.and_then(|(offset, count)| literal(layout, Meaning::Key, offset, count)));
    }
    for code in codes {
        let mut at = code.start;
        while at < code.end {
            let Some(instruction) = file.get(at).and_then(|&opcode| instructions.get(usize::from(opcode))) else {
                break;
            };
            if instruction.has_literals
                && let Some(count) = count(file, at, instruction, layout)
            {
                let pointers = instruction.pointers.iter();
                literals.extend(pointers.filter_map(|operand| {
                    literal(layout, operand.meaning, read(file, at + operand.offset, operand.width)?, count)
                }));
            }
            at += instruction.size_bytes;
        }
    }
    literals.sort_unstable();
    literals.dedup();
    literals
}

fn literal(layout: &Layout, meaning: Meaning, offset: u32, count: u32) -> Option<Literal> {
    let buffer = layout.buffer(meaning)?;
    let start = buffer.start.checked_add(offset as usize).filter(|start| *start < buffer.end)?;
    Some(Literal { start: u32::try_from(start).ok()?, end: u32::try_from(buffer.end).ok()?, count })
}

/// Returns how many values an instruction takes: it says so, or its shape does.
pub(super) fn count(file: &[u8], at: usize, instruction: &Instruction, layout: &Layout) -> Option<u32> {
    let operand = |meaning: Meaning| instruction.pointers.iter().find(|operand| operand.meaning == meaning);
    if let Some(count) = operand(Meaning::Count) {
        return read(file, at + count.offset, count.width);
    }
    let shape = operand(Meaning::Shape)?;
    let index = read(file, at + shape.offset, shape.width)? as usize;
    let entry = layout.shapes.start.checked_add(index.checked_mul(PAIR_SIZE_BYTES)?)?;
    if entry < layout.shapes.end { read_u32(file, entry + 4) } else { None }
}

/// Tells where the indexes in a literal are, and their width.
fn follow(
    file: &[u8],
    literal: Literal,
    generation: Generation,
    runs_left: &mut usize,
    found: &mut impl FnMut(usize, usize),
) {
    let (mut at, end, mut left) = (literal.start as usize, literal.end as usize, literal.count as usize);
    while left > 0 && at < end && *runs_left > 0 {
        *runs_left -= 1;
        let (Some(&tag), low) = (file.get(at), file.get(at + 1).copied().unwrap_or(0)) else { return };
        let (length, header) = match tag & LONG {
            0 => (usize::from(tag & LENGTH_MASK), 1),
            _ => (usize::from(tag & LENGTH_MASK) << 8 | usize::from(low), 2),
        };
        let (width, is_text) = value(tag, generation);
        let length = length.min(left);
        at += header;
        let next = at + width * length;
        if length == 0 || next > end {
            return;
        }
        if is_text {
            *runs_left = runs_left.saturating_sub(length);
            (at..next).step_by(width).for_each(|at| found(at, width));
        }
        (at, left) = (next, left - length);
    }
}

/// Replaces one index, if there is another for it that fits.
pub(super) fn replace(bytes: &mut [u8], at: usize, width: usize, map: &[u32]) {
    let replaced = read(bytes, at, width).and_then(|index| map.get(index as usize)).copied().unwrap_or(NONE);
    if replaced != NONE && (width == 4 || replaced >> (8 * width) == 0) {
        // In bounds: it was read there.
        let _ = write(bytes, at, width, replaced);
    }
}
