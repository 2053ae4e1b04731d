//! This file's job is to make and apply patches from the command line, for the benchmarks and for comparing with other programs.
//!
//! ```text
//! patch encode FORMAT quick|best OLD NEW PATCH
//! patch decode FORMAT OLD PATCH NEW
//! patch alone NEW COMPRESSED             with Brotli at its best, for comparison
//! patch renumber BASE FILE RENUMBERED
//! ```
use delta::{Budget, Effort, Format, Limits};
use std::error::Error;
use std::fs;

/// No bundle is larger.
const OUTPUT_MAX_BYTES: usize = delta::INPUT_MAX_BYTES;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["encode", format, effort, old, new, patch] => encode(format, effort, old, new, patch),
        ["decode", format, old, patch, new] => decode(format, old, patch, new),
        ["alone", new, compressed] => alone(new, compressed),
        ["renumber", base, file, renumbered] => renumber(base, file, renumbered),
        _ => Err("the arguments are wrong; the first lines of the source say what they are".into()),
    }
}

fn encode(format: &str, effort: &str, old: &str, new: &str, patch: &str) -> Result<(), Box<dyn Error>> {
    let effort = match effort {
        "quick" => Effort::Quick,
        "best" => Effort::Best,
        _ => return Err("the effort is quick or best".into()),
    };
    let format: Format = format.parse()?;
    let made = format.encode(&fs::read(old)?, &fs::read(new)?, effort, &Budget::UNLIMITED)?;
    fs::write(patch, made.ok_or("the files are too large for this format")?)?;
    Ok(())
}

fn decode(format: &str, old: &str, patch: &str, new: &str) -> Result<(), Box<dyn Error>> {
    let format: Format = format.parse()?;
    fs::write(new, format.decode(&fs::read(old)?, &fs::read(patch)?, &Limits::output(OUTPUT_MAX_BYTES))?)?;
    Ok(())
}

fn alone(new: &str, compressed: &str) -> Result<(), Box<dyn Error>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
    let mut bytes = Vec::new();
    brotli::BrotliCompress(&mut &fs::read(new)?[..], &mut bytes, &parameters)?;
    Ok(fs::write(compressed, bytes)?)
}

fn renumber(base: &str, file: &str, renumbered: &str) -> Result<(), Box<dyn Error>> {
    let made = delta::renumber_strings(&fs::read(base)?, &fs::read(file)?);
    Ok(fs::write(renumbered, made.ok_or("the strings of the file cannot have the base's numbers")?)?)
}
