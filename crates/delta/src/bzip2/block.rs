//! This file's job is to encode one block.

use crate::budget::Effort;
use crate::bzip2::bits::BitWriter;
use crate::bzip2::codes::{self, Codes, GROUP};
use crate::bzip2::symbols::{self, Symbols};
use crate::bzip2::{crc, runs, sort};

const BLOCK_BEGIN: u64 = 0x3141_5926_5359;
/// Begin, checksum, the bit for randomised blocks, origin, map of used ranges, number of codes and of selectors.
const FIXED_BITS: u64 = 48 + 32 + 1 + 24 + 16 + 3 + 15;

/// A block, ready to be written.
pub(super) struct Block {
    /// Of the bytes as they were.
    pub(super) checksum: u32,
    /// Size after runs were shortened, which decoders must hold.
    pub(super) sorted_size_bytes: usize,
    /// Size when written.
    pub(super) size_bits: u64,
    origin: usize,
    symbols: Symbols,
    codes: Codes,
}

impl Block {
    /// Encodes bytes, at least one, that are small enough for a block.
    pub(super) fn encode(bytes: &[u8], effort: Effort) -> Self {
        let short = runs::shorten(bytes);
        let sorted = sort::sort_rotations(&short);
        let symbols = symbols::make(&sorted.last);
        let codes = codes::find(&symbols.list, symbols.alphabet, effort);
        let ranges = symbols.used.chunks(16).filter(|range| range.contains(&true)).count() as u64;
        Self {
            checksum: crc::checksum(bytes),
            sorted_size_bytes: short.len(),
            size_bits: FIXED_BITS + 16 * ranges + codes.size_bits,
            origin: sorted.origin,
            symbols,
            codes,
        }
    }

    /// Writes the block.
    pub(super) fn write(&self, writer: &mut BitWriter) {
        writer.bits(BLOCK_BEGIN, 48);
        writer.bits(u64::from(self.checksum), 32);
        writer.bits(0, 1);
        writer.bits(self.origin as u64, 24);
        self.write_map(writer);
        self.codes.write_tables(writer);
        let words = self.codes.words();
        for (group, &selected) in self.symbols.list.chunks(GROUP).zip(&self.codes.selectors) {
            let words = &words[usize::from(selected)];
            for &symbol in group {
                let (word, length) = words[usize::from(symbol)];
                writer.bits(u64::from(word), u32::from(length));
            }
        }
    }

    fn write_map(&self, writer: &mut BitWriter) {
        let ranges = self.symbols.used.chunks(16);
        for range in ranges.clone() {
            writer.bits(u64::from(range.contains(&true)), 1);
        }
        for range in ranges.filter(|range| range.contains(&true)) {
            for &used in range {
                writer.bits(u64::from(used), 1);
            }
        }
    }
}
