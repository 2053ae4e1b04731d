//! This file's job is to choose which number each string gets.
//!
//! A string that the base has, of the same kind, gets the base's number; the others follow behind. Some indexes have few bits, so that
//! their strings need low numbers: those change places with strings that do not.

use crate::hermes::renumber::program::Name;
use std::collections::HashMap;

/// The number of every string.
pub(super) struct Numbers {
    /// By the number in the file.
    numbers: Vec<u32>,
    /// What the new table has under each number.
    pub(super) table: Vec<Source>,
}

/// Where a string of the new table is from: its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Base(usize),
    File(usize),
}

impl Numbers {
    /// Chooses the numbers. `widths` has the bits that each string's number may have. None when one is too large for every choice.
    pub(super) fn choose(base: &[Name<'_>], strings: &[Name<'_>], widths: &[u32]) -> Option<Self> {
        let mut chooser = Chooser::keep(base, strings, widths);
        for bits in 1..u32::BITS {
            chooser.fit(bits)?;
        }
        Some(Self { numbers: chooser.numbers, table: chooser.table })
    }

    /// Returns the new number of a string.
    pub(super) fn of(&self, string: u32) -> Option<u32> {
        self.numbers.get(string as usize).copied()
    }
}

struct Chooser<'a> {
    strings: &'a [Name<'a>],
    widths: &'a [u32],
    numbers: Vec<u32>,
    table: Vec<Source>,
    /// Whether the string under each number of the table is an identifier.
    kinds: Vec<bool>,
    /// The string of the file under each number of the table, if it has one.
    owners: Vec<Option<usize>>,
}

impl<'a> Chooser<'a> {
    /// Keeps the base's table, with what is new behind it.
    fn keep(base: &[Name<'_>], strings: &'a [Name<'a>], widths: &'a [u32]) -> Self {
        let mut known: HashMap<Name<'_>, Vec<usize>> = HashMap::with_capacity(base.len());
        for (number, name) in base.iter().enumerate().rev() {
            known.entry(*name).or_default().push(number);
        }
        let mut table: Vec<Source> = (0..base.len()).map(Source::Base).collect();
        let mut kinds: Vec<bool> = base.iter().map(|name| name.0).collect();
        let mut owners = vec![None; base.len()];
        let mut numbers = vec![0; strings.len()];
        let mut fresh = Vec::new();
        for (index, name) in strings.iter().enumerate() {
            match known.get_mut(name).and_then(Vec::pop) {
                Some(number) => (numbers[index], owners[number]) = (number as u32, Some(index)),
                None => fresh.push(index),
            }
        }
        // One run of each kind.
        fresh.sort_by_key(|index| strings[*index].0);
        for index in fresh {
            numbers[index] = table.len() as u32;
            table.push(Source::File(index));
            kinds.push(strings[index].0);
            owners.push(Some(index));
        }
        Self { strings, widths, numbers, table, kinds, owners }
    }

    /// Gives low numbers to the strings that may have so many bits.
    fn fit(&mut self, bits: u32) -> Option<()> {
        let limit = 1_usize << bits;
        let high = |index: &usize| self.widths[*index] == bits && self.numbers[*index] as usize >= limit;
        let high: Vec<usize> = (0..self.strings.len()).filter(high).collect();
        // From above: the lowest numbers are the ones that most patches keep.
        let mut free = [limit, limit];
        for index in high {
            let kind = self.strings[index].0;
            let free = &mut free[usize::from(kind)];
            loop {
                *free = free.checked_sub(1)?;
                if self.may_leave(*free, index) {
                    break;
                }
            }
            self.swap(*free, self.numbers[index] as usize);
        }
        Some(())
    }

    /// Says whether what has the number can have that of the string instead.
    fn may_leave(&self, number: usize, index: usize) -> bool {
        let is_same_kind = self.kinds.get(number) == Some(&self.strings[index].0);
        let fits = |owner: usize| {
            self.widths[owner] == u32::BITS || u64::from(self.numbers[index]) < 1 << u64::from(self.widths[owner])
        };
        is_same_kind && self.owners[number].is_none_or(fits)
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.table.swap(one, other);
        self.owners.swap(one, other);
        for number in [one, other] {
            if let Some(owner) = self.owners[number] {
                self.numbers[owner] = number as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    fn name(text: &'static str) -> Name<'static> {
        (true, (false, text.as_bytes()))
    }

    fn chosen(base: &[&'static str], strings: &[&'static str], widths: &[u32]) -> Option<Vec<u32>> {
        let [base, strings] = [base, strings].map(|names| names.iter().copied().map(name).collect::<Vec<_>>());
        Numbers::choose(&base, &strings, widths).map(|numbers| numbers.numbers)
    }

    #[test]
    fn strings_keep_the_numbers_of_the_base_and_new_ones_follow() {
        assert_eq!(chosen(&NAMES, &["f", "new", "a", "other"], &[32; 4]).unwrap(), [5, 6, 0, 7]);
    }

    #[test]
    fn a_content_that_stands_twice_keeps_both_numbers() {
        assert_eq!(chosen(&["a", "b", "a"], &["a", "a", "a"], &[32; 3]).unwrap(), [0, 2, 3]);
    }

    #[test]
    fn a_string_that_needs_a_low_number_changes_places_with_one_that_does_not() {
        // With 1 bit there are the numbers 0 and 1, and `a` must keep its own.
        assert_eq!(chosen(&NAMES, &["a", "b", "f"], &[1, 32, 1]).unwrap(), [0, 5, 1]);
        // `b` may go to 3 bits, too.
        assert_eq!(chosen(&NAMES, &["a", "b", "new"], &[1, 3, 1]).unwrap(), [0, 6, 1]);
    }

    #[test]
    fn more_low_numbers_than_there_are_is_none() {
        assert_eq!(chosen(&NAMES, &["a", "f", "new"], &[1, 1, 1]), None);
    }

    #[test]
    fn kinds_do_not_change_places() {
        let base = [(false, (false, &b"a"[..])), name("b"), (false, (false, b"c"))];
        let strings = [name("b"), (false, (false, &b"c"[..]))];
        assert_eq!(Numbers::choose(&base, &strings, &[1, 1]).unwrap().numbers, [1, 0]);
        assert_eq!(Numbers::choose(&base, &[name("b"), name("c")], &[1, 1]).map(|numbers| numbers.numbers), None);
    }
}
