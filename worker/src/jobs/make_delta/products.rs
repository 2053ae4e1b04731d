//! This file's job is to make the patches of one pair of files, and to apply each once, so that no device gets one that does not work.

use crate::error::Error;
use delta::{Budget, Effort, Expected, Format, Limits};
use domain::Sha256;
use domain::bundle::Engine;

/// A patch that saves less than a quarter is not worth a second thing to store, check and fall back from.
const WORTH_PERCENT: u64 = 75;

/// A patch that there is already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) format: Format,
    pub(super) size_bytes: u64,
}

/// What patches are made of and for.
pub(super) struct Wanted<'a> {
    pub(super) base: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) engine: Engine,
    pub(super) known: &'a [Known],
}

/// A patch and its format.
pub(super) type Product = (Format, Vec<u8>);

/// Returns the formats that are worth making. Brotli's dictionary coder is the best one for text and far behind `bsdiff` for bytecode;
/// its devices that know no other format have `dcz`.
const fn formats(engine: Engine) -> &'static [Format] {
    match engine {
        Engine::JavaScript => &[Format::Dcz, Format::Dcb, Format::Bsdiff40],
        Engine::Hermes => &[Format::Dcz, Format::Bsdiff40, Format::Hermes, Format::HermesAdaptive],
    }
}

/// Makes the patches that are smaller than those there are, and small enough to be worth it.
pub(super) fn make(wanted: &Wanted<'_>, effort: Effort, budget: &Budget<'_>) -> Result<Vec<Product>, Error> {
    let alone = delta::size_alone(wanted.target)? as u64;
    let mut made = Vec::new();
    for &format in formats(wanted.engine) {
        let known = wanted.known.iter().find(|known| known.format == format).map_or(u64::MAX, |known| known.size_bytes);
        let Some(patch) = format.encode(wanted.base, wanted.target, effort, budget)? else { continue };
        let size_bytes = patch.len() as u64;
        if size_bytes < known && size_bytes * 100 <= alone * WORTH_PERCENT {
            verify(wanted, format, &patch)?;
            made.push((format, patch));
        }
    }
    Ok(made)
}

fn verify(wanted: &Wanted<'_>, format: Format, patch: &[u8]) -> Result<(), Error> {
    let expected = Expected {
        base_sha256: *Sha256::of(wanted.base).as_bytes(),
        sha256: *Sha256::of(wanted.target).as_bytes(),
        size_bytes: wanted.target.len(),
    };
    let applied = delta::apply(format, wanted.base, patch, &expected, Limits::MEMORY_DEFAULT_BYTES);
    applied
        .map(|_| ())
        .map_err(|error| Error::Internal(format!("a patch of the format {format} does not work: {error}")))
}
