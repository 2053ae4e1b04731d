//! This file's job is to give the strings of a compiled file the numbers that they have in a base.
//!
//! What `hermesc -base-bytecode` does, for a file that is compiled already: the string table becomes that of the base, with what is new
//! behind it, and so do the literals and their shapes; every index follows. No instruction changes its size, so source maps stay true.
//!
//! ```text
//! program     a file with its functions, strings, and where its code points to
//! literals    where literals and shapes are then
//! numbers     which number each string gets
//! table       the string table
//! header      what the header says of all that
//! assemble    the new file
//! check       whether both files say the same
//! ```

mod assemble;
mod check;
mod header;
mod literals;
mod numbers;
mod program;
mod table;

use crate::INPUT_MAX_BYTES;
use literals::Literals;
use numbers::Numbers;
use program::Program;
use table::Table;

/// Strings and literals that only the base has stay where they are. A file that grows by more than this for them is left as it is.
const GROWTH_MAX_PERCENT: usize = 3;

/// Gives the strings of a compiled Hermes file the numbers that they have in `base`, so that patches from it are small.
///
/// `None` when that cannot be done: the files are not bytecode of one version that is known, one of them is odd, too little of the base
/// is left, or an index does not fit its place. What is returned has been read again, and does the same as `file`.
#[must_use]
pub fn renumber_strings(base: &[u8], file: &[u8]) -> Option<Vec<u8>> {
    if base.len().max(file.len()) > INPUT_MAX_BYTES {
        return None;
    }
    let (base, program) = (Program::read(base)?, Program::read(file)?);
    if base.layout.version.number() != program.layout.version.number() {
        return None;
    }
    let numbers = Numbers::choose(&base.strings, &program.strings, &program.widths()?)?;
    let table = Table::make(&base, &program, &numbers)?;
    let literals = Literals::place(&base, &program, &numbers)?;
    let renumbered = assemble::assemble(&program, &table, &numbers, &literals)?;
    let is_small = renumbered.len() <= file.len() + file.len() / 100 * GROWTH_MAX_PERCENT;
    (is_small && check::says_the_same(&program, &Program::read(&renumbered)?)).then_some(renumbered)
}
