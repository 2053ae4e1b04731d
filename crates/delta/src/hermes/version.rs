//! This file's job is to list the versions of Hermes bytecode that are understood, and where they differ.

use crate::hermes::tables::{self, Instructions};

/// How a file is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// Function headers of 16 bytes, buffers of arrays, keys and values.
    Buffers,
    /// Function headers of 12 bytes, buffers of values and keys, shapes.
    Shapes,
}

/// A version of Hermes bytecode.
#[derive(Debug)]
pub(super) struct Version {
    number: u32,
    pub(super) generation: Generation,
    /// Size of a function header.
    pub(super) function_size_bytes: usize,
    /// Size of a long function header.
    pub(super) long_function_size_bytes: usize,
    /// Where the flags are in it.
    pub(super) long_flags_offset: usize,
    /// Size of what a function has to say about debugging, if it has.
    pub(super) debug_size_bytes: usize,
    table: &'static str,
}

static VERSIONS: [Version; 4] = [
    Version {
        number: 89,
        generation: Generation::Buffers,
        function_size_bytes: 16,
        long_function_size_bytes: 32,
        long_flags_offset: 30,
        debug_size_bytes: 8,
        table: include_str!("tables/89.txt"),
    },
    Version {
        number: 96,
        generation: Generation::Buffers,
        function_size_bytes: 16,
        long_function_size_bytes: 32,
        long_flags_offset: 30,
        debug_size_bytes: 12,
        table: include_str!("tables/96.txt"),
    },
    Version {
        number: 98,
        generation: Generation::Shapes,
        function_size_bytes: 12,
        long_function_size_bytes: 40,
        long_flags_offset: 36,
        debug_size_bytes: 4,
        table: include_str!("tables/98.txt"),
    },
    Version {
        number: 99,
        generation: Generation::Shapes,
        function_size_bytes: 12,
        long_function_size_bytes: 36,
        long_flags_offset: 35,
        debug_size_bytes: 4,
        table: include_str!("tables/99.txt"),
    },
];

impl Version {
    pub(super) fn find(number: u32) -> Option<&'static Self> {
        VERSIONS.iter().find(|version| version.number == number)
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Reads the version's table of instructions: some microseconds.
    pub(super) fn instructions(&self) -> Instructions {
        tables::parse(self.table)
    }
}
