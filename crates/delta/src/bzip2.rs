//! This file's job is to compress with bzip2, smaller than libbz2 does: one stream, which every bzip2 decoder reads.
//!
//! libbz2 cuts its input at fixed sizes, starts from one guess of the prefix codes and improves it four times. Here blocks are cut where it
//! saves bytes, and several numbers of codes and several guesses are tried until nothing gets smaller.

mod bits;
mod block;
mod codes;
mod crc;
mod runs;
mod sort;
mod symbols;

use crate::budget::{Budget, Effort};
use bits::BitWriter;
use block::Block;

/// The format's unit of block sizes.
const LEVEL_BYTES: usize = 100_000;
/// Decoders keep this many bytes of a block free.
const BLOCK_GAP_BYTES: usize = 19;
/// The largest block, after runs are shortened.
const BLOCK_MAX_BYTES: usize = 9 * LEVEL_BYTES - BLOCK_GAP_BYTES;
/// A piece this small is not worth a block of its own.
const PIECE_MIN_BYTES: usize = 512;
/// How many cuts of one piece are tried.
const CUTS: usize = 8;
/// How often pieces are cut again.
const CUT_DEPTH_MAX: u32 = 6;

const STREAM_END: u64 = 0x1772_4538_5090;

/// Compresses bytes into one bzip2 stream. When the budget is spent, what is left is compressed without looking for better cuts.
pub(crate) fn compress(bytes: &[u8], effort: Effort, budget: &Budget<'_>) -> Vec<u8> {
    let mut blocks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(runs::prefix_that_fits(rest, BLOCK_MAX_BYTES));
        let block = Block::encode(piece, effort);
        match effort {
            Effort::Quick => blocks.push(block),
            Effort::Best => cut(piece, block, CUT_DEPTH_MAX, budget, &mut blocks),
        }
        rest = after;
    }
    let largest = blocks.iter().map(|block| block.sorted_size_bytes).max().unwrap_or(0);
    let level = (largest + BLOCK_GAP_BYTES).div_ceil(LEVEL_BYTES).clamp(1, 9);
    let mut writer = BitWriter::default();
    writer.bytes(b"BZh");
    writer.bits(b'0' as u64 + level as u64, 8);
    let mut checksum = 0_u32;
    for block in &blocks {
        checksum = checksum.rotate_left(1) ^ block.checksum;
        block.write(&mut writer);
    }
    writer.bits(STREAM_END, 48);
    writer.bits(u64::from(checksum), 32);
    writer.finish()
}

/// Cuts the piece where two blocks are smaller than one, and the parts again.
fn cut(piece: &[u8], whole: Block, depth: u32, budget: &Budget<'_>, blocks: &mut Vec<Block>) {
    if depth == 0 || piece.len() < 2 * PIECE_MIN_BYTES || budget.is_spent() {
        return blocks.push(whole);
    }
    let mut best: Option<(usize, Block, Block)> = None;
    let mut best_bits = whole.size_bits;
    for part in 1..CUTS {
        let at = piece.len() * part / CUTS;
        let (left, right) = piece.split_at(at);
        let (left, right) = (Block::encode(left, Effort::Quick), Block::encode(right, Effort::Quick));
        if left.size_bits + right.size_bits < best_bits {
            best_bits = left.size_bits + right.size_bits;
            best = Some((at, left, right));
        }
    }
    let Some((at, ..)) = best else { return blocks.push(whole) };
    let (left, right) = piece.split_at(at);
    cut(left, Block::encode(left, Effort::Best), depth - 1, budget, blocks);
    cut(right, Block::encode(right, Effort::Best), depth - 1, budget, blocks);
}
