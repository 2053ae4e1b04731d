//! This file's job is to say what a byte is to the file that it stands in: which byte of which instruction, or of an entry in a table.

use crate::hermes::functions::Code;
use crate::hermes::tables::Instructions;

/// Headers of functions have 12 bytes, entries of other tables 4.
const ENTRY_BYTES: usize = 12;
/// Longer instructions are rare.
const OFFSET_MAX: u8 = 15;

/// What a byte is: an opcode with a place in its instruction, or a place in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::hermes) struct Role {
    opcode: u8,
    offset: u8,
}

impl Role {
    pub(super) const fn number(self) -> u32 {
        (self.opcode as u32) << 8 | self.offset as u32
    }
}

/// Says what bytes are.
pub(in crate::hermes) enum Grammar {
    /// Of tables.
    Entries,
    /// Of code.
    Code {
        /// Of each byte of the old code.
        roles: Vec<Role>,
        /// Of each opcode's instruction.
        sizes: Vec<u8>,
    },
}

impl Grammar {
    /// Walks through the functions of old code that begins at `start` in its file.
    pub(in crate::hermes) fn of_code(
        code: &[u8],
        functions: &[Code],
        start: usize,
        instructions: &Instructions,
    ) -> Self {
        let mut roles = vec![Role::default(); code.len()];
        for function in functions {
            let (mut at, end) = (function.start - start, (function.end - start).min(code.len()));
            while at < end {
                let opcode = code[at];
                let Some(instruction) = instructions.get(usize::from(opcode)) else { break };
                let last = end.min(at + instruction.size_bytes);
                for (offset, role) in roles[at..last].iter_mut().enumerate() {
                    *role = Role { opcode, offset: (offset as u8).min(OFFSET_MAX) };
                }
                at += instruction.size_bytes;
            }
        }
        let sizes = instructions.iter().map(|instruction| instruction.size_bytes as u8).collect();
        Self::Code { roles, sizes }
    }

    /// Returns what an old byte is, and the new one at `at` that is like it.
    pub(super) fn role(&self, position: usize, at: usize) -> Role {
        match self {
            Self::Entries => Role { opcode: 0, offset: (at % ENTRY_BYTES) as u8 },
            Self::Code { roles, .. } => roles.get(position).copied().unwrap_or_default(),
        }
    }

    /// Returns what the byte behind one is, as far as that is known before it is seen.
    pub(super) fn next(&self, role: Role, at: usize) -> Role {
        match self {
            Self::Entries => Role { opcode: 0, offset: (at % ENTRY_BYTES) as u8 },
            Self::Code { sizes, .. } => {
                let size = sizes.get(usize::from(role.opcode)).copied().unwrap_or(1);
                if role.offset + 1 < size {
                    Role { offset: role.offset + 1, ..role }
                } else {
                    Role { opcode: role.opcode, offset: 0 }
                }
            }
        }
    }

    /// Returns what the byte is, now that it was seen.
    pub(super) fn seen(&self, role: Role, byte: u8) -> Role {
        match self {
            Self::Code { .. } if role.offset == 0 => Role { opcode: byte, offset: 0 },
            Self::Code { .. } | Self::Entries => role,
        }
    }
}
