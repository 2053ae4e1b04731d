//! This file's job is to guess the new code: the old code, with every index in it as it is in the new file.

use crate::hermes::bytes::{aligned, read, read_usize, write};
use crate::hermes::edits::Alignment;
use crate::hermes::layout::{HEADER_SIZE_BYTES, Layout, PAIR_SIZE_BYTES};
use crate::hermes::literals::replace;
use crate::hermes::parts::Parts;
use crate::hermes::strings::NONE;
use crate::hermes::tables::{Instruction, Instructions, Meaning};

/// In an instruction that switches on a string: where the distance to the table is, and the number of its entries.
const SWITCH_TABLE_OFFSET: usize = 6;
const SWITCH_COUNT_OFFSET: usize = 14;

/// What became of the old file's indexes.
pub(super) struct Maps<'a> {
    pub(super) old: &'a Layout,
    pub(super) new: &'a Layout,
    /// The new index of each old string.
    pub(super) texts: &'a [u32],
    /// Of the literals' bytes.
    pub(super) literals: &'a Alignment,
    /// Of the bytes of function headers, with the rest behind them.
    pub(super) functions: &'a Alignment,
}

impl Maps<'_> {
    /// Returns the new operand, if there is one.
    fn operand(&self, meaning: Meaning, operand: u32) -> Option<u32> {
        let index = operand as usize;
        let mapped = match meaning {
            Meaning::Text => return self.texts.get(index).copied().filter(|&text| text != NONE),
            Meaning::Function => self.function(index),
            Meaning::Array | Meaning::Key | Meaning::Value => self.literal(meaning, index),
            Meaning::Shape => self.shape(index),
            Meaning::Count | Meaning::Plain => None,
        };
        u32::try_from(mapped?).ok()
    }

    fn literal(&self, meaning: Meaning, offset: usize) -> Option<usize> {
        let (old, new) = (self.old.buffer(meaning)?.start, self.new.buffer(meaning)?.start);
        self.moved(old.checked_add(offset)?)?.checked_sub(new)
    }

    /// Returns where a position in the old file's literals went.
    fn moved(&self, old: usize) -> Option<usize> {
        self.literals.map(old.checked_sub(self.old.literals)?)?.checked_add(self.new.literals)
    }

    /// Shapes and functions are found by the middle of their entries, which pieces of the alignment cut less than the ends.
    fn shape(&self, index: usize) -> Option<usize> {
        let at = self.old.shapes.start.checked_add(index.checked_mul(PAIR_SIZE_BYTES)?)?.checked_add(2)?;
        Some(self.moved(at)?.checked_sub(self.new.shapes.start)? / PAIR_SIZE_BYTES)
    }

    fn function(&self, index: usize) -> Option<usize> {
        let size_bytes = self.old.version.function_size_bytes;
        let at = HEADER_SIZE_BYTES.checked_add(index.checked_mul(size_bytes)?)?.checked_add(5)?;
        Some(self.functions.map(at - HEADER_SIZE_BYTES)? / size_bytes)
    }
}

/// Returns the old code with the indexes replaced. None when the base is not the file that was taken apart.
pub(super) fn guess(base: &[u8], old: &Parts, instructions: &Instructions, maps: &Maps<'_>) -> Option<Vec<u8>> {
    let mut code = base.get(old.code.clone())?.to_vec();
    // Tables do not overlap in real files. In odd ones, they must not take longer for it.
    let mut entries_left = code.len() / PAIR_SIZE_BYTES;
    for function in &old.codes {
        let (mut at, end) = (function.start - old.code.start, function.end - old.code.start);
        while at < end {
            let Some(instruction) = code.get(at).and_then(|&opcode| instructions.get(usize::from(opcode))) else {
                break;
            };
            replace_operands(&mut code, at, instruction, maps);
            if instruction.switches_on_text
                && let Some(table) = switch(&code, at, old.code.start)
                && table.len() / PAIR_SIZE_BYTES <= entries_left
            {
                entries_left -= table.len() / PAIR_SIZE_BYTES;
                table.step_by(PAIR_SIZE_BYTES).for_each(|entry| replace(&mut code, entry, 4, maps.texts));
            }
            at += instruction.size_bytes;
        }
    }
    Some(code)
}

fn replace_operands(code: &mut [u8], at: usize, instruction: &Instruction, maps: &Maps<'_>) {
    for operand in &instruction.pointers {
        let place = at + operand.offset;
        let Some(value) = read(code, place, operand.width) else { return };
        if let Some(mapped) = maps.operand(operand.meaning, value)
            && (operand.width == 4 || mapped >> (8 * operand.width) == 0)
        {
            // In bounds: it was read there.
            let _ = write(code, place, operand.width, mapped);
        }
    }
}

/// Returns where the table of a switch is in the code, which begins at `start` in the file: that decides where the table is aligned.
pub(super) fn switch(code: &[u8], at: usize, start: usize) -> Option<std::ops::Range<usize>> {
    let distance = read_usize(code, at + SWITCH_TABLE_OFFSET)?;
    let table = aligned(start.checked_add(at)?.checked_add(distance)?).checked_sub(start)?;
    let size_bytes = read_usize(code, at + SWITCH_COUNT_OFFSET)?.checked_mul(PAIR_SIZE_BYTES)?;
    let table = table..table.checked_add(size_bytes)?;
    code.get(table.clone()).map(|_| table)
}
