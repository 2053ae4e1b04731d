//! This file's job is to find where the old file has the longest match for a text.

/// The old file's suffixes in order.
pub(super) struct Suffixes<'a> {
    text: &'a [u8],
    order: Vec<i32>,
    /// Where the suffixes that begin with each two bytes start in the order.
    starts: Vec<u32>,
}

/// A match in the old file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Match {
    pub(super) rank: u32,
    pub(super) length: u32,
}

impl<'a> Suffixes<'a> {
    /// Memory for each byte of the old file.
    pub(super) const MEMORY_FACTOR: usize = 4;

    pub(super) fn new(text: &'a [u8]) -> Self {
        let mut order = vec![0; text.len()];
        if !text.is_empty() {
            divsufsort::sort_in_place(text, &mut order);
        }
        let mut starts = vec![0_u32; (1 << 16) + 1];
        for pair in text.windows(2) {
            starts[usize::from(pair[0]) << 8 | usize::from(pair[1])] += 1;
        }
        // The last byte alone comes before all pairs that begin with it.
        if let Some(&last) = text.last() {
            starts[usize::from(last) << 8] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            (*start, sum) = (sum, sum + *start);
        }
        Self { text, order, starts }
    }

    /// Returns where the suffix of this rank begins; none beyond the last.
    pub(super) fn position(&self, rank: usize) -> Option<usize> {
        self.order.get(rank).map(|&position| position as usize)
    }

    /// Finds a longest match, of `longest` bytes at most. One of a single byte may be missed.
    pub(super) fn find(&self, text: &[u8], longest: usize) -> Match {
        let text = &text[..text.len().min(longest)];
        let [first, second, ..] = *text else { return Match::default() };
        let pair = usize::from(first) << 8 | usize::from(second);
        let (first, end) = (self.starts[pair] as usize, self.starts[pair + 1] as usize);
        let (mut low, mut high) = (first, end);
        // How much the suffixes just outside of the range have in common with the text: those between have at least the lesser.
        let (mut low_common, mut high_common) = (0, 0);
        while low < high {
            let middle = usize::midpoint(low, high);
            let suffix = &self.text[self.order[middle] as usize..];
            let skip = low_common.min(high_common).min(suffix.len());
            let common = skip + common_prefix(&suffix[skip..], &text[skip..]);
            let is_less = common < text.len() && suffix.get(common).is_none_or(|byte| *byte < text[common]);
            if is_less {
                (low, low_common) = (middle + 1, common);
            } else {
                (high, high_common) = (middle, common);
            }
        }
        let (before, after) = (low > first, low < end);
        match (before, after) {
            (true, _) if !after || low_common > high_common => {
                Match { rank: low as u32 - 1, length: low_common as u32 }
            }
            (_, true) => Match { rank: low as u32, length: high_common as u32 },
            (_, false) => Match::default(),
        }
    }

    /// Finds the match that `bsdiff` finds: its position and its length. It is not always a longest one: where a suffix of the old file
    /// begins the text, those after it are not looked at.
    pub(super) fn find_as_bsdiff(&self, text: &[u8]) -> (usize, usize) {
        // Rank 0 is the empty suffix here.
        let suffix_at = |rank: usize| match rank {
            0 => self.text.len(),
            rank => self.order[rank - 1] as usize,
        };
        let (mut low, mut high) = (0, self.text.len());
        let (mut low_common, mut high_common) = (0, 0);
        while high - low >= 2 {
            let middle = usize::midpoint(low, high);
            let suffix = &self.text[suffix_at(middle)..];
            let skip = low_common.min(high_common).min(suffix.len());
            let common = skip + common_prefix(&suffix[skip..], &text[skip..]);
            if common < suffix.len() && common < text.len() && suffix[common] < text[common] {
                (low, low_common) = (middle, common);
            } else {
                (high, high_common) = (middle, common);
            }
        }
        let length = |rank| common_prefix(&self.text[suffix_at(rank)..], text);
        let (at_low, at_high) = (length(low), length(high));
        if at_low > at_high { (suffix_at(low), at_low) } else { (suffix_at(high), at_high) }
    }
}

/// Returns how many bytes both begin with.
pub(super) fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    let words = one.chunks_exact(WORD).zip(other.chunks_exact(WORD));
    let equal = words.take_while(|(one, other)| one == other).count() * WORD;
    let rest = one[equal..].iter().zip(&other[equal..]);
    equal + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_match_is_longer(
            old in prop::collection::vec(0_u8..3, 0..200), text in prop::collection::vec(0_u8..3, 0..40), longest in 2_usize..50,
        ) {
            let suffixes = Suffixes::new(&old);
            let text = &text[..];
            let limit = text.len().min(longest);
            let best = (0..old.len()).map(|at| common_prefix(&old[at..], &text[..limit])).max().unwrap_or(0);
            let found = suffixes.find(text, longest);
            let length = found.length as usize;
            prop_assert!(length == best || best == 1 && length == 0);
            if length > 0 {
                let at = suffixes.position(found.rank as usize).unwrap();
                prop_assert_eq!(&old[at..at + length], &text[..length]);
            }
            let whole = (0..old.len()).map(|at| common_prefix(&old[at..], text)).max().unwrap_or(0);
            let (at, length) = suffixes.find_as_bsdiff(text);
            prop_assert!(length <= whole);
            prop_assert_eq!(&old[at..at + length], &text[..length]);
        }
    }
}
