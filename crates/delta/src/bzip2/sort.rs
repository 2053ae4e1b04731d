//! This file's job is to sort the rotations of a block, the Burrows-Wheeler transform.
//!
//! A suffix array is made of the block's least rotation: its suffixes have the same order as the rotations that begin with them
//! (R. Giancarlo, A. Restivo, M. Sciortino, "From first principles to the Burrows and Wheeler transform and beyond", 2007). Where the
//! block repeats one word, equal rotations may have any order.

/// The last bytes of the sorted rotations, and which of these is the block itself.
pub(super) struct Sorted {
    pub(super) last: Vec<u8>,
    pub(super) origin: usize,
}

/// Sorts the rotations of a block that is not empty.
pub(super) fn sort_rotations(block: &[u8]) -> Sorted {
    let size = block.len();
    let start = least_rotation(block);
    let rotated = [&block[start..], &block[..start]].concat();
    let mut order = vec![0; size];
    divsufsort::sort_in_place(&rotated, &mut order);
    // Where the block begins in its least rotation.
    let begin = if start == 0 { 0 } else { size - start };
    let mut sorted = Sorted { last: Vec::with_capacity(size), origin: 0 };
    for (rank, &position) in order.iter().enumerate() {
        let position = position as usize;
        sorted.last.push(rotated[if position == 0 { size - 1 } else { position - 1 }]);
        if position == begin {
            sorted.origin = rank;
        }
    }
    sorted
}

/// Finds where the least rotation begins, in linear time: two candidates are compared, and the worse one skips what was compared.
fn least_rotation(block: &[u8]) -> usize {
    let size = block.len();
    let at = |index: usize| block[if index < size { index } else { index - size }];
    let (mut left, mut right, mut length) = (0, 1, 0);
    while left < size && right < size && length < size {
        let (first, second) = (at(left + length), at(right + length));
        if first == second {
            length += 1;
            continue;
        }
        if first > second {
            left += length + 1;
        } else {
            right += length + 1;
        }
        if left == right {
            right += 1;
        }
        length = 0;
    }
    left.min(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn undo(sorted: &Sorted) -> Vec<u8> {
        let mut starts = [0; 256];
        for &byte in &sorted.last {
            for start in &mut starts[usize::from(byte) + 1..] {
                *start += 1;
            }
        }
        let mut next = vec![0; sorted.last.len()];
        for (index, &byte) in sorted.last.iter().enumerate() {
            next[starts[usize::from(byte)]] = index;
            starts[usize::from(byte)] += 1;
        }
        let mut at = sorted.origin;
        let mut step = || {
            at = next[at];
            sorted.last[at]
        };
        (0..next.len()).map(|_| step()).collect()
    }

    proptest! {
        #[test]
        fn the_transform_can_be_undone(word in prop::collection::vec(0_u8..3, 1..40), times in 1_usize..5) {
            let block = word.repeat(times);
            prop_assert_eq!(undo(&sort_rotations(&block)), block);
        }
    }
}
