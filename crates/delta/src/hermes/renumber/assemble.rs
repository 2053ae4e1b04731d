//! This file's job is to put the new file together.

use super::header::Counts;
use crate::hermes::bytes::{aligned, put};
use crate::hermes::functions::{self, Direction};
use crate::hermes::layout::{ENTRY_SIZE_BYTES, Layout, PAIR_SIZE_BYTES};
use crate::hermes::renumber::literals::Literals;
use crate::hermes::renumber::numbers::Numbers;
use crate::hermes::renumber::program::{FOOTER_SIZE_BYTES, Program};
use crate::hermes::renumber::table::Table;
use sha1::{Digest as _, Sha1};

/// Makes the file. None when an index or an offset does not fit its place.
pub(super) fn assemble(
    program: &Program<'_>,
    table: &Table,
    numbers: &Numbers,
    literals: &Literals,
) -> Option<Vec<u8>> {
    let body = replaced(program, numbers, literals)?;
    let Layout { kinds, .. } = &program.layout;
    let mut file = body.get(..kinds.start)?.to_vec();
    let strings = [&table.kinds, &table.hashes, &table.entries, &table.long, &table.bytes];
    for section in strings.into_iter().chain(&literals.buffers).chain([&literals.shapes]) {
        file.resize(aligned(file.len()), 0);
        file.extend_from_slice(section);
    }
    file.resize(aligned(file.len()), 0);
    let start = file.len() + program.code.start - program.layout.behind_shapes();
    file.extend_from_slice(body.get(program.layout.behind_shapes()..body.len() - FOOTER_SIZE_BYTES)?);
    let counts = Counts {
        file_size_bytes: file.len() + FOOTER_SIZE_BYTES,
        kinds: table.kinds.len() / ENTRY_SIZE_BYTES,
        hashes: table.hashes.len() / ENTRY_SIZE_BYTES,
        texts: table.entries.len() / ENTRY_SIZE_BYTES,
        long_texts: table.long.len() / PAIR_SIZE_BYTES,
        text_bytes: table.bytes.len(),
        buffers: literals.buffers.iter().map(Vec::len).collect(),
        shapes: literals.shapes.len() / PAIR_SIZE_BYTES,
        moved: i64::try_from(start).ok()? - i64::try_from(program.code.start).ok()?,
    };
    program.layout.set_counts(&mut file, &counts)?;
    let layout = Layout::parse(&file)?;
    let code = start..start + program.code.len();
    let functions = functions::convert(&mut file, &layout, &code, Direction::ToAbsolute)?;
    for (old, new) in program.names.iter().zip(functions) {
        new.name.set(&mut file, numbers.of(old.get(program.file)?)?)?;
    }
    let footer = Sha1::digest(&file);
    file.extend_from_slice(&footer);
    Some(file)
}

/// Returns the old file with relative function headers, and with the new indexes in its code and in the sources of functions.
fn replaced(program: &Program<'_>, numbers: &Numbers, literals: &Literals) -> Option<Vec<u8>> {
    let mut body = program.relative.clone();
    for place in &program.texts {
        put(&mut body, place.at, place.width, numbers.of(program.index(*place)?)?)?;
    }
    for (place, literal) in &program.literals {
        put(&mut body, place.at, place.width, literals.offset(literal)?)?;
    }
    for place in &program.shape_places {
        put(&mut body, place.at, place.width, literals.shape(program.index(*place)?)?)?;
    }
    Some(body)
}
