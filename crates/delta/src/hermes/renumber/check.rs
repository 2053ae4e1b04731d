//! This file's job is to say whether two files do the same: whether they differ in nothing but the numbers of their strings, and in where
//! their literals and shapes are.

use super::header::Counts;
use crate::hermes::renumber::program::{FOOTER_SIZE_BYTES, Literal, Name, Program};
use crate::hermes::strings;
use std::collections::HashSet;
use std::ops::Range;

/// Says whether the files do the same.
pub(super) fn says_the_same(one: &Program<'_>, other: &Program<'_>) -> bool {
    has_true_hashes(other)
        && have_same_bytes(one, other)
        && names(one) == names(other)
        && texts(one) == texts(other)
        && have_same_literals(one, other)
}

/// Says whether the hashes of the identifiers are those of the strings.
fn has_true_hashes(program: &Program<'_>) -> bool {
    let texts: Vec<_> = program.strings.iter().map(|name| name.1).collect();
    let kinds = program.file.get(program.layout.kinds.clone());
    let hashes = kinds.and_then(|kinds| strings::hashes(&texts, kinds));
    hashes.as_deref() == program.file.get(program.layout.hashes.clone())
}

/// Compares everything outside of strings, buffers and shapes, except for what points into them.
fn have_same_bytes(one: &Program<'_>, other: &Program<'_>) -> bool {
    let (Some(one_bytes), Some(other_bytes)) = (masked(one), masked(other)) else { return false };
    let same = |range: fn(&Program<'_>) -> Range<usize>| one_bytes[range(one)] == other_bytes[range(other)];
    same(|program| 0..program.layout.kinds.start)
        && same(|program| program.layout.behind_shapes()..program.file.len() - FOOTER_SIZE_BYTES)
}

/// Returns a file with relative function headers, and with zeros in place of what may differ.
fn masked(program: &Program<'_>) -> Option<Vec<u8>> {
    let mut bytes = program.relative.clone();
    let counts = Counts {
        buffers: vec![0; program.layout.buffers.len()],
        moved: -i64::try_from(program.code.start).ok()?,
        ..Counts::default()
    };
    program.layout.set_counts(&mut bytes, &counts)?;
    program.names.iter().try_for_each(|name| name.set(&mut bytes, 0))?;
    let literals = program.literals.iter().map(|(place, _)| place);
    for place in program.texts.iter().chain(literals).chain(&program.shape_places) {
        bytes.get_mut(place.at..place.at + place.width)?.fill(0);
    }
    Some(bytes)
}

/// Returns what the functions are called.
fn names<'a>(program: &Program<'a>) -> Vec<Option<Name<'a>>> {
    program.names.iter().map(|name| program.strings.get(name.get(program.file)? as usize).copied()).collect()
}

/// Returns the strings that code and the sources of functions name.
fn texts<'a>(program: &Program<'a>) -> Vec<Option<Name<'a>>> {
    program.texts.iter().map(|place| program.strings.get(program.index(*place)? as usize).copied()).collect()
}

/// Compares the values of all literals.
fn have_same_literals(one: &Program<'_>, other: &Program<'_>) -> bool {
    let (Some(one_literals), Some(other_literals)) = (literals(one), literals(other)) else { return false };
    let once: HashSet<(Literal, Literal)> = one_literals.iter().copied().zip(other_literals.iter().copied()).collect();
    one_literals.len() == other_literals.len()
        && once.iter().all(|(old, new)| old.buffer == new.buffer && values(one, old) == values(other, new))
}

/// Returns the literals that code points to, also through shapes.
fn literals(program: &Program<'_>) -> Option<Vec<Literal>> {
    let shape = |place| program.shapes.get(program.index(place)? as usize).copied();
    let own = program.literals.iter().map(|(_, literal)| Some(*literal));
    own.chain(program.shape_places.iter().map(|place| shape(*place))).collect()
}

/// A value of a literal.
#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Text(Option<Name<'a>>),
    /// With the type of the tag.
    Plain(u8, &'a [u8]),
}

fn values<'a>(program: &Program<'a>, literal: &Literal) -> Vec<Value<'a>> {
    let runs = program.runs.get(literal).into_iter().flatten();
    let of_run = runs.flat_map(|run| run.places().map(move |place| (run, place)));
    let value = of_run.map(|(run, place)| match program.index(place) {
        Some(index) if run.is_text => Value::Text(program.strings.get(index as usize).copied()),
        _ => Value::Plain(run.kind(program.file), &program.file[place.at..place.at + place.width]),
    });
    value.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hermes::bytes::put;
    use crate::hermes::renumber::program::Place;
    use crate::renumber_strings;
    use sha1::{Digest as _, Sha1};

    const PAIRS: [(&[u8], &[u8]); 2] = [
        (include_bytes!("../../../tests/samples/old-96.hbc"), include_bytes!("../../../tests/samples/new-96.hbc")),
        (include_bytes!("../../../tests/samples/old-98.hbc"), include_bytes!("../../../tests/samples/new-98.hbc")),
    ];

    fn signed(mut file: Vec<u8>) -> Vec<u8> {
        let body = file.len() - FOOTER_SIZE_BYTES;
        let hash = Sha1::digest(&file[..body]);
        file[body..].copy_from_slice(&hash);
        file
    }

    /// Says whether a file that is not quite the renumbered one is refused.
    fn is_noticed(one: &Program<'_>, changed: Vec<u8>) -> bool {
        Program::read(&signed(changed)).is_none_or(|changed| !says_the_same(one, &changed))
    }

    #[test]
    fn every_other_index_is_noticed() {
        for (base, file) in PAIRS {
            let renumbered = renumber_strings(base, file).unwrap();
            let (one, other) = (Program::read(file).unwrap(), Program::read(&renumbered).unwrap());
            assert!(says_the_same(&one, &other) && says_the_same(&one, &one));
            // Not those that only shapes of the base have.
            let used = literals(&other).unwrap();
            let in_literals = used
                .iter()
                .flat_map(|literal| &other.runs[literal])
                .filter(|run| run.is_text)
                .flat_map(|run| run.places());
            let offsets = other.literals.iter().map(|(place, _)| *place);
            let places: Vec<Place> =
                other.texts.iter().chain(&other.shape_places).copied().chain(in_literals).chain(offsets).collect();
            assert!(places.len() > 500, "{}", places.len());
            for place in places {
                let mut changed = renumbered.clone();
                put(&mut changed, place.at, place.width, other.index(place).unwrap() ^ 1).unwrap();
                assert!(is_noticed(&one, changed), "{place:?}");
            }
        }
    }

    #[test]
    fn every_other_name_and_every_other_byte_of_code_is_noticed() {
        for (base, file) in PAIRS {
            let renumbered = renumber_strings(base, file).unwrap();
            let (one, other) = (Program::read(file).unwrap(), Program::read(&renumbered).unwrap());
            for name in &other.names {
                let mut changed = renumbered.clone();
                name.set(&mut changed, name.get(&renumbered).unwrap() ^ 1).unwrap();
                assert!(is_noticed(&one, changed));
            }
            for at in other.code.clone().chain(other.layout.kinds.clone()).chain(other.layout.hashes.clone()) {
                let mut changed = renumbered.clone();
                changed[at] ^= 1;
                assert!(is_noticed(&one, changed), "at {at}");
            }
        }
    }
}
