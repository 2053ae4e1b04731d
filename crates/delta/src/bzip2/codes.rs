//! This file's job is to find the prefix codes of a block: how many, which, and which one each group of symbols is written with.

mod lengths;

use crate::budget::Effort;
use crate::bzip2::bits::BitWriter;
use lengths::{LENGTH_MAX, lengths, table_bits};

/// Symbols that share a code.
pub(super) const GROUP: usize = 50;
/// The format wants at least two codes, and allows six.
const CODES: std::ops::RangeInclusive<usize> = 2..=6;
/// Codes rarely get better after that.
const ROUNDS_MAX: usize = 24;

/// The codes of a block.
pub(super) struct Codes {
    tables: Vec<Vec<u8>>,
    /// Which code each group is written with.
    pub(super) selectors: Vec<u8>,
    /// Size of tables, selectors and symbols.
    pub(super) size_bits: u64,
}

/// How often each symbol occurs with each code.
type Counts = Vec<Vec<u32>>;

/// Finds codes for the symbols, of which there is at least one.
pub(super) fn find(symbols: &[u16], alphabet: usize, effort: Effort) -> Codes {
    let mut best: Option<Codes> = None;
    for count in CODES {
        for guess in guesses(symbols, alphabet, count, effort) {
            let codes = improve(symbols, alphabet, guess);
            if best.as_ref().is_none_or(|best| codes.size_bits < best.size_bits) {
                best = Some(codes);
            }
        }
    }
    best.expect("the smallest number of codes is always tried")
}

/// Returns first guesses of the code lengths.
fn guesses(symbols: &[u16], alphabet: usize, count: usize, effort: Effort) -> Vec<Counts> {
    let by_symbol = || by_symbol(symbols, alphabet, count);
    match effort {
        Effort::Quick => vec![by_symbol()],
        Effort::Best => vec![by_symbol(), by_place(symbols, alphabet, count)],
    }
}

/// Each code is for a range of symbols that make up an equal share of all.
fn by_symbol(symbols: &[u16], alphabet: usize, count: usize) -> Counts {
    let mut frequencies = vec![0_usize; alphabet];
    for &symbol in symbols {
        frequencies[usize::from(symbol)] += 1;
    }
    let mut counts = vec![vec![0; alphabet]; count];
    let (mut code, mut seen) = (0, 0);
    for (symbol, frequency) in frequencies.into_iter().enumerate() {
        while code + 1 < count && seen * count >= symbols.len() * (code + 1) {
            code += 1;
        }
        for (index, counts) in counts.iter_mut().enumerate() {
            counts[symbol] = if index == code { 1_000 } else { 1 };
        }
        seen += frequency;
    }
    counts
}

/// Each code is for a part of the block.
fn by_place(symbols: &[u16], alphabet: usize, count: usize) -> Counts {
    let mut counts = vec![vec![0; alphabet]; count];
    for (index, &symbol) in symbols.iter().enumerate() {
        counts[index * count / symbols.len()][usize::from(symbol)] += 1;
    }
    counts
}

/// Chooses the best code for each group and remakes the codes for what they are chosen for, until nothing gets smaller.
fn improve(symbols: &[u16], alphabet: usize, mut counts: Counts) -> Codes {
    let mut best: Option<Codes> = None;
    for _ in 0..ROUNDS_MAX {
        let tables: Vec<Vec<u8>> = counts.iter().map(|counts| lengths(counts)).collect();
        let codes = select(symbols, tables);
        counts = tally(symbols, alphabet, &codes);
        if best.as_ref().is_some_and(|best| codes.size_bits >= best.size_bits) {
            break;
        }
        best = Some(codes);
    }
    best.expect("there is at least one round")
}

/// Chooses the code for each group.
fn select(symbols: &[u16], tables: Vec<Vec<u8>>) -> Codes {
    let mut size_bits: u64 = tables.iter().map(|table| table_bits(table)).sum();
    let mut selectors = Vec::with_capacity(symbols.len().div_ceil(GROUP));
    let mut front: Vec<u8> = (0..tables.len() as u8).collect();
    for group in symbols.chunks(GROUP) {
        let bits =
            |code: u8| group.iter().map(|&symbol| u64::from(tables[usize::from(code)][usize::from(symbol)])).sum();
        // A code that was used lately has a short selector.
        let priced = front.iter().enumerate().map(|(place, &code)| {
            let bits: u64 = bits(code);
            (bits + place as u64 + 1, place)
        });
        let (bits, place) = priced.min().expect("there are codes");
        size_bits += bits;
        front[..=place].rotate_right(1);
        selectors.push(front[0]);
    }
    Codes { tables, selectors, size_bits }
}

fn tally(symbols: &[u16], alphabet: usize, codes: &Codes) -> Counts {
    let mut counts = vec![vec![0; alphabet]; codes.tables.len()];
    for (group, &selected) in symbols.chunks(GROUP).zip(&codes.selectors) {
        for &symbol in group {
            counts[usize::from(selected)][usize::from(symbol)] += 1;
        }
    }
    counts
}

impl Codes {
    /// Writes the number of codes, the selectors and the tables.
    pub(super) fn write_tables(&self, writer: &mut BitWriter) {
        writer.bits(self.tables.len() as u64, 3);
        writer.bits(self.selectors.len() as u64, 15);
        let mut front: Vec<u8> = (0..self.tables.len() as u8).collect();
        for selected in &self.selectors {
            let place = front.iter().position(|code| code == selected).expect("selectors name codes");
            front[..=place].rotate_right(1);
            writer.bits((1 << (place + 1)) - 2, place as u32 + 1);
        }
        for table in &self.tables {
            lengths::write(table, writer);
        }
    }

    /// Returns the words of each code with their lengths.
    pub(super) fn words(&self) -> Vec<Vec<(u32, u8)>> {
        self.tables.iter().map(|table| words(table)).collect()
    }
}

/// Words of the same length count up in the order of the symbols, shorter ones come first.
fn words(table: &[u8]) -> Vec<(u32, u8)> {
    let mut words = vec![(0, 0); table.len()];
    let mut word = 0;
    for length in 1..=LENGTH_MAX {
        for (symbol, _) in table.iter().enumerate().filter(|(_, of)| **of == length) {
            words[symbol] = (word, length);
            word += 1;
        }
        word <<= 1;
    }
    words
}
