//! This file's job is to find the lengths of a prefix code's words, and to write them.

use crate::bzip2::bits::BitWriter;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What libbz2 writes; decoders allow 20.
pub(super) const LENGTH_MAX: u8 = 17;
/// A symbol that does not occur still needs a word; it weighs this fraction of one that occurs once.
const RARE_WEIGHTS: [u64; 3] = [1, 4, 16];

/// Returns the lengths that make table and symbols smallest.
pub(super) fn lengths(counts: &[u32]) -> Vec<u8> {
    let priced = RARE_WEIGHTS.map(|scale| {
        let table = shortest(counts, scale);
        let data: u64 = counts.iter().zip(&table).map(|(&count, &length)| u64::from(count) * u64::from(length)).sum();
        (data + table_bits(&table), table)
    });
    priced.into_iter().min().map(|(_, table)| table).expect("there are weights")
}

/// Returns the lengths of Huffman's code, made flatter until none is too long.
fn shortest(counts: &[u32], scale: u64) -> Vec<u8> {
    let mut weights: Vec<u64> = counts.iter().map(|&count| (u64::from(count) * scale).max(1)).collect();
    loop {
        let lengths = huffman(&weights);
        if lengths.iter().all(|&length| length <= u32::from(LENGTH_MAX)) {
            return lengths.into_iter().map(|length| length as u8).collect();
        }
        for weight in &mut weights {
            *weight = *weight / 2 + 1;
        }
    }
}

fn huffman(weights: &[u64]) -> Vec<u32> {
    let mut heap: BinaryHeap<_> =
        weights.iter().enumerate().map(|(node, &weight)| Reverse((weight, 0, node))).collect();
    let mut parents = vec![0; weights.len()];
    while let (Some(Reverse(first)), Some(Reverse(second))) = (heap.pop(), heap.pop()) {
        let parent = parents.len();
        parents.push(0);
        (parents[first.2], parents[second.2]) = (parent, parent);
        // Of equal weights the flatter tree is joined first, which keeps words short.
        heap.push(Reverse((first.0 + second.0, first.1.max(second.1) + 1, parent)));
    }
    let root = parents.len() - 1;
    let mut depths = vec![0; parents.len()];
    for node in (0..root).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    depths.truncate(weights.len());
    depths
}

/// Returns the size of a table when written.
pub(super) fn table_bits(table: &[u8]) -> u64 {
    let steps: u64 = table.windows(2).map(|pair| u64::from(pair[0].abs_diff(pair[1]))).sum();
    5 + 2 * steps + table.len() as u64
}

/// Writes the first length, then how each differs from the one before.
pub(super) fn write(table: &[u8], writer: &mut BitWriter) {
    let mut length = table[0];
    writer.bits(u64::from(length), 5);
    for &next in table {
        while length != next {
            let (code, step) = if length < next { (0b10, length + 1) } else { (0b11, length - 1) };
            writer.bits(code, 2);
            length = step;
        }
        writer.bits(0, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_symbol_has_a_word_and_no_word_begins_another(counts in prop::collection::vec(0_u32..5_000_000, 3..258)) {
            let table = lengths(&counts);
            prop_assert!(table.iter().all(|&length| (1..=LENGTH_MAX).contains(&length)));
            let filled: u64 = table.iter().map(|&length| 1_u64 << (LENGTH_MAX - length)).sum();
            prop_assert!(filled <= 1 << LENGTH_MAX);
        }
    }
}
