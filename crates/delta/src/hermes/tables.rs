//! This file's job is to know the instructions of each version of Hermes bytecode.
//!
//! The tables are generated: `python3 crates/delta/tables.py HERMESC` asks the `hermesc` of a version. A line is an instruction, its place its
//! opcode: the name, then each operand as a letter for what it means and its width in bytes.

/// What an operand means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The index of a string.
    Text,
    /// The index of a function.
    Function,
    /// An offset in the buffer of literal values.
    Value,
    /// An offset in the buffer of array literals (up to version 96).
    Array,
    /// An offset in the buffer of object keys (up to version 96).
    Key,
    /// The index of an object's shape (from version 98).
    Shape,
    /// How many values a literal has.
    Count,
    /// A register, number, jump or anything else that does not point into a table.
    Plain,
}

/// An operand of an instruction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    /// Behind the opcode.
    pub(super) offset: usize,
    pub(super) width: usize,
    pub(super) meaning: Meaning,
}

/// An instruction.
#[derive(Debug)]
pub(super) struct Instruction {
    /// With the opcode.
    pub(super) size_bytes: usize,
    /// Those that point into a table, and [`Meaning::Count`]; no others.
    pub(super) pointers: Vec<Operand>,
    /// Whether it points to literals.
    pub(super) has_literals: bool,
    /// Whether a table of (string, jump) follows the function.
    pub(super) switches_on_text: bool,
}

/// The instructions of a version, by opcode.
pub(super) type Instructions = Vec<Instruction>;

/// Reads a table.
pub(super) fn parse(table: &str) -> Instructions {
    table.lines().map(instruction).collect()
}

fn instruction(line: &str) -> Instruction {
    let mut words = line.split(' ');
    let switches_on_text = words.next() == Some("StringSwitchImm");
    let (mut size_bytes, mut pointers) = (1, Vec::new());
    for word in words {
        let width = word.bytes().last().map_or(0, |digit| usize::from(digit.saturating_sub(b'0')));
        let meaning = match word.bytes().next() {
            Some(b's') => Meaning::Text,
            Some(b'f') => Meaning::Function,
            Some(b'v') => Meaning::Value,
            Some(b'a') => Meaning::Array,
            Some(b'k') => Meaning::Key,
            Some(b'h') => Meaning::Shape,
            Some(b'n') => Meaning::Count,
            Some(_) | None => Meaning::Plain,
        };
        if meaning != Meaning::Plain {
            pointers.push(Operand { offset: size_bytes, width, meaning });
        }
        size_bytes += width;
    }
    let is_literal = |operand: &Operand| matches!(operand.meaning, Meaning::Value | Meaning::Array | Meaning::Key);
    let has_literals = pointers.iter().any(is_literal);
    Instruction { size_bytes, pointers, has_literals, switches_on_text }
}
