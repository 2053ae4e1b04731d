//! This file's job is to read function headers, and to make them say how they differ from what is expected.
//!
//! A header packs, from the lowest bit (sizes in bits; up to version 96, then from version 98):
//!
//! ```text
//! offset 25, parameters 7        offset 25, parameters 7
//! size 15, name 17               size 14, name 8, …
//! information 25, …              …
//! …, flags 8                     …, flags 8
//! ```
//! A flag says that the numbers do not fit: then (offset's 16 low bits, information) or (offset's 24 low bits, name) are the position of
//! a long header among the rest behind the code. Its words of 4 bytes are, up to version 96: offset, parameters, size, name,
//! information, which is where the long header is; from version 98: offset, parameters, loops, size, name.
//! Behind a long header (or at the `information` of a short one) there are, if the flags say so, the exceptions (count, then 12 bytes
//! each) and where the debug information is.
//!
//! Functions follow each other in the code, and so does what stands behind it. So every position can be told from the ones before.
//! *Relative* headers hold only by how much that is wrong: mostly 0.

use crate::hermes::bytes::{aligned, read_u32, write};
use crate::hermes::layout::{HEADER_SIZE_BYTES, Layout};
use crate::hermes::version::{Generation, Version};
use std::collections::HashMap;
use std::ops::Range;

const FLAG_EXCEPTIONS: u32 = 1 << 3;
const FLAG_DEBUG: u32 = 1 << 4;
const FLAG_LONG: u32 = 1 << 5;
const OFFSET_BITS: u32 = 25;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;
const EXCEPTION_SIZE_BYTES: usize = 12;

/// Where the code of a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Where a function's name is.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameField {
    /// Of the word that holds it.
    pub(super) at: usize,
    pub(super) shift: u32,
    pub(super) bits: u32,
}

impl NameField {
    /// Returns the index of the name.
    pub(super) fn get(self, file: &[u8]) -> Option<u32> {
        Some(read_u32(file, self.at)? >> self.shift & self.mask())
    }

    /// Puts another name there. None when the index does not fit.
    pub(super) fn set(self, file: &mut [u8], index: u32) -> Option<()> {
        let word = read_u32(file, self.at)? & !(self.mask() << self.shift);
        if index & !self.mask() == 0 { write(file, self.at, 4, word | index << self.shift) } else { None }
    }

    const fn mask(self) -> u32 {
        u32::MAX >> (u32::BITS - self.bits)
    }
}

/// What is known of a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    pub(super) code: Code,
    pub(super) name: NameField,
}

/// Which way positions are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// As parts hold them.
    ToRelative,
    /// As files hold them.
    ToAbsolute,
}

impl Direction {
    /// Converts a number to, or from, how much it differs from the expected one. Returns the absolute number, and the converted one.
    pub(super) const fn convert(self, stored: u32, expected: u32) -> (u32, u32) {
        match self {
            Self::ToRelative => (stored, stored.wrapping_sub(expected)),
            Self::ToAbsolute => {
                let absolute = stored.wrapping_add(expected);
                (absolute, absolute)
            }
        }
    }
}

/// Returns where the code of all functions is: from the first to the last, jump tables and all.
pub(super) fn code_range(file: &[u8], layout: &Layout) -> Option<Range<usize>> {
    let (mut start, mut end) = (usize::MAX, 0);
    for index in 0..layout.function_count {
        let header = Header::read(file, layout, index)?;
        let (offset, size) = match header.long_position(layout.version) {
            None => (header.words[0] & OFFSET_MASK, header.size(layout.version)),
            Some(at) => (read_u32(file, at)?, read_u32(file, at + long_size_offset(layout.version))?),
        };
        start = start.min(offset as usize);
        end = end.max((offset as usize).checked_add(size as usize)?);
    }
    // Tables that stand behind the last function are part of the rest.
    (start <= end && end <= file.len()).then_some(start..end)
}

/// Converts all headers of a file in place.
///
/// None when a position is not behind the ones before: such a file is left to other formats.
pub(super) fn convert(
    file: &mut [u8],
    layout: &Layout,
    code: &Range<usize>,
    direction: Direction,
) -> Option<Vec<Function>> {
    let mut converter = Converter {
        file,
        version: layout.version,
        direction,
        seen: HashMap::new(),
        functions: Vec::with_capacity(layout.function_count),
        code_end: code.start as u32,
        rest_end: code.end as u32,
        debug: 0,
    };
    for index in 0..layout.function_count {
        let header = Header::read(converter.file, layout, index)?;
        let function = match header.flags & FLAG_LONG {
            0 => converter.short(header)?,
            _ => converter.long(header)?,
        };
        converter.functions.push(function);
    }
    Some(converter.functions)
}

/// A function header.
struct Header {
    at: usize,
    words: [u32; 3],
    flags: u32,
}

impl Header {
    fn read(file: &[u8], layout: &Layout, index: usize) -> Option<Self> {
        let size_bytes = layout.version.function_size_bytes;
        let at = HEADER_SIZE_BYTES + index * size_bytes;
        let word = |index: usize| read_u32(file, at + 4 * index);
        let flags = u32::from(*file.get(at + size_bytes - 1)?);
        Some(Self { at, words: [word(0)?, word(1)?, word(2)?], flags })
    }

    const fn size(&self, version: &Version) -> u32 {
        match version.generation {
            Generation::Buffers => self.words[1] & 0x7fff,
            Generation::Shapes => self.words[1] & 0x3fff,
        }
    }

    const fn long_position(&self, version: &Version) -> Option<usize> {
        if self.flags & FLAG_LONG == 0 {
            return None;
        }
        Some(match version.generation {
            Generation::Buffers => (self.words[0] & 0xffff | (self.words[2] & 0xffff) << 16) as usize,
            Generation::Shapes => (self.words[0] & 0xff_ffff | (self.words[1] >> 14 & 0xff) << 24) as usize,
        })
    }

    /// Puts a position of a long header back to where it was read from.
    fn set_long_position(&mut self, version: &Version, position: u32) {
        match version.generation {
            Generation::Buffers => {
                self.words[0] = self.words[0] & !0xffff | position & 0xffff;
                self.words[2] = self.words[2] & !0xffff | position >> 16;
            }
            Generation::Shapes => {
                self.words[0] = self.words[0] & !0xff_ffff | position & 0xff_ffff;
                self.words[1] = self.words[1] & !(0xff << 14) | position >> 24 << 14;
            }
        }
    }

    fn write(&self, file: &mut [u8]) -> Option<()> {
        self.words.iter().enumerate().try_for_each(|(index, &word)| write(file, self.at + 4 * index, 4, word))
    }
}

const fn long_size_offset(version: &Version) -> usize {
    match version.generation {
        Generation::Buffers => 8,
        Generation::Shapes => 12,
    }
}

struct Converter<'a> {
    file: &'a mut [u8],
    version: &'static Version,
    direction: Direction,
    /// The last function at each offset, to make headers relative.
    seen: HashMap<u32, usize>,
    functions: Vec<Function>,
    /// Where the next function is expected.
    code_end: u32,
    /// Where the next part of the rest is expected.
    rest_end: u32,
    /// Where the last function's debug information is.
    debug: u32,
}

impl Converter<'_> {
    fn short(&mut self, mut header: Header) -> Option<Function> {
        let size = header.size(self.version);
        let (offset, converted) = self.offset(header.words[0] & OFFSET_MASK, size, OFFSET_BITS)?;
        header.words[0] = header.words[0] & !OFFSET_MASK | converted;
        let name = match self.version.generation {
            Generation::Buffers => {
                let expected = self.rest_end;
                let (information, converted) = self.direction.convert(header.words[2] & OFFSET_MASK, expected);
                header.words[2] = header.words[2] & !OFFSET_MASK | converted & OFFSET_MASK;
                self.behind(information & OFFSET_MASK, header.flags)?;
                NameField { at: header.at + 4, shift: 15, bits: 17 }
            }
            Generation::Shapes => NameField { at: header.at + 4, shift: 14, bits: 8 },
        };
        header.write(self.file)?;
        Some(Function { code: code(offset, size)?, name })
    }

    fn long(&mut self, mut header: Header) -> Option<Function> {
        let expected = aligned(self.rest_end as usize) as u32;
        let stored = header.long_position(self.version)? as u32;
        let (position, converted) = self.direction.convert(stored, expected);
        header.set_long_position(self.version, converted);
        header.write(self.file)?;
        // Two functions must not share a long header: its numbers would be converted twice.
        if position < self.rest_end {
            return None;
        }
        let at = position as usize;
        let size = read_u32(self.file, at + long_size_offset(self.version))?;
        let (offset, converted) = self.offset(read_u32(self.file, at)?, size, u32::BITS)?;
        write(self.file, at, 4, converted)?;
        let flags = u32::from(*self.file.get(at + self.version.long_flags_offset)?);
        let name_at = match self.version.generation {
            Generation::Buffers => {
                let (information, converted) = self.direction.convert(read_u32(self.file, at + 16)?, position);
                write(self.file, at + 16, 4, converted)?;
                // Hermes passes the header itself before it reads on.
                if information != position {
                    return None;
                }
                at + 12
            }
            Generation::Shapes => at + 16,
        };
        self.behind(u32::try_from(at + self.version.long_function_size_bytes).ok()?, flags)?;
        Some(Function { code: code(offset, size)?, name: NameField { at: name_at, shift: 0, bits: u32::BITS } })
    }

    /// Converts the offset of a function's code. Returns the offset, and what is to be stored.
    ///
    /// Functions with the same code share it: the highest bit then marks how many functions back it was used.
    fn offset(&mut self, stored: u32, size: u32, bits: u32) -> Option<(u32, u32)> {
        let mark = 1 << (bits - 1);
        let index = self.functions.len();
        let (offset, converted) = match self.direction {
            Direction::ToRelative => {
                let converted = match self.seen.insert(stored, index) {
                    Some(before) => (index - before) as u32 | mark,
                    None => stored.checked_sub(self.code_end).filter(|&ahead| ahead < mark)?,
                };
                (stored, converted)
            }
            Direction::ToAbsolute => {
                let offset = if stored & mark == 0 {
                    self.code_end.checked_add(stored).filter(|offset| bits == u32::BITS || offset >> bits == 0)?
                } else {
                    let shared = index.checked_sub((stored & (mark - 1)) as usize)?;
                    self.functions.get(shared)?.code.start as u32
                };
                (offset, offset)
            }
        };
        self.code_end = self.code_end.max(offset.checked_add(size)?);
        Some((offset, converted))
    }

    /// Passes what stands behind a long header.
    fn behind(&mut self, start: u32, flags: u32) -> Option<()> {
        let mut at = start as usize;
        if flags & FLAG_EXCEPTIONS != 0 {
            at = aligned(at);
            let count = read_u32(self.file, at)? as usize;
            at = at.checked_add(count.checked_mul(EXCEPTION_SIZE_BYTES)?)?.checked_add(4)?;
        }
        if flags & FLAG_DEBUG != 0 {
            at = aligned(at);
            if at >= self.rest_end as usize {
                let (debug, converted) = self.direction.convert(read_u32(self.file, at)?, self.debug);
                write(self.file, at, 4, converted)?;
                self.debug = debug;
            }
            at += self.version.debug_size_bytes;
        }
        self.rest_end = self.rest_end.max(u32::try_from(at).ok()?);
        Some(())
    }
}

fn code(offset: u32, size: u32) -> Option<Code> {
    let start = offset as usize;
    Some(Code { start, end: start.checked_add(size as usize)? })
}
