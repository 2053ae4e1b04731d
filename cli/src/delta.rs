//! This file's job is `aloft delta`: say what patches between two launch files would cost.

use crate::error::Error;
use crate::report::AnyReport;
use crate::table;
use ::delta::{Budget, Effort, Format};
use bundle::HermesHeader;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

/// A patch is offered when it has at most this share of the whole file, compressed.
const WORTH_PERCENT: u64 = 75;

/// Says what updates between two bundles cost.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes the patch of each format between two launch files, and says what it costs and why. Asks no server.
    #[command(after_help = "Example:\n  aloft delta explain v1/index.android.bundle v2/index.android.bundle")]
    Explain(Explain),
}

/// Which files to compare.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The launch file that devices have.
    pub old: PathBuf,
    /// The launch file that they get.
    pub new: PathBuf,
    /// Only the quick patches, which are offered first; the smallest ones take up to a minute.
    #[arg(long)]
    pub quick: bool,
}

/// What each format costs.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// What the old file holds: `hermes` with its version, or `javascript`.
    pub old: String,
    /// What the new file holds.
    pub new: String,
    /// Size of the new file.
    pub size_bytes: u64,
    /// Size of the new file, compressed alone.
    pub compressed_bytes: u64,
    /// The formats, smallest patch first; those without a patch last.
    pub formats: Vec<Cost>,
    /// What makes the patches larger than they must be.
    pub advice: Vec<String>,
}

/// What one format costs.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// The format.
    pub format: &'static str,
    /// Size of the patch; null when there is none.
    pub size_bytes: Option<u64>,
    /// Whether devices would be offered it.
    pub offered: bool,
    /// Why it has this size, or is missing.
    pub why: String,
}

/// Runs one of the commands.
///
/// # Errors
/// When a file cannot be read, or a patch not be made.
pub fn run(command: &Command) -> Result<AnyReport, Error> {
    match command {
        Command::Explain(files) => Ok(Box::new(explain(files)?)),
    }
}

fn explain(files: &Explain) -> Result<Explanation, Error> {
    let (old, new) = (read(&files.old)?, read(&files.new)?);
    let effort = if files.quick { Effort::Quick } else { Effort::Best };
    let failed = |error: ::delta::DeltaError| Error::Content(error.to_string());
    let compressed_bytes = ::delta::size_alone(&new).map_err(failed)? as u64;
    let mut formats = Vec::new();
    for format in Format::ALL {
        let patch = format.encode(&old, &new, effort, &Budget::UNLIMITED).map_err(failed)?;
        formats.push(cost(format, patch.as_deref(), compressed_bytes));
    }
    formats.sort_by_key(|cost| cost.size_bytes.unwrap_or(u64::MAX));
    let (old_holds, new_holds) = (holds(&old), holds(&new));
    let advice = advice((&old_holds, &new_holds), (&old, &new), &formats);
    Ok(Explanation { old: old_holds, new: new_holds, size_bytes: new.len() as u64, compressed_bytes, formats, advice })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::file(path, source))
}

/// Says what a launch file holds.
fn holds(file: &[u8]) -> String {
    HermesHeader::parse(file).map_or_else(|| "javascript".to_owned(), |header| format!("hermes {}", header.version))
}

fn cost(format: Format, patch: Option<&[u8]>, compressed_bytes: u64) -> Cost {
    let size_bytes = patch.map(|patch| patch.len() as u64);
    let offered = size_bytes.is_some_and(|size| size * 100 <= compressed_bytes * WORTH_PERCENT);
    let why = match (format, patch) {
        (Format::Hermes | Format::HermesAdaptive, None) => {
            "only between Hermes bytecode files of one known version".to_owned()
        }
        (Format::Dcb, None) => "both files together are larger than Brotli's window of 16 MiB".to_owned(),
        (_, None) => "a file is larger than 64 MiB".to_owned(),
        (_, Some(_)) if !offered => format!("more than {WORTH_PERCENT} % of the whole file: not offered"),
        (Format::Bsdiff40, Some(patch)) => blocks(patch),
        (Format::Dcb, Some(_)) => "what the old file does not have, with Brotli: best for text".to_owned(),
        (Format::Dcz, Some(_)) => "what the old file does not have, with Zstandard: quickest to apply".to_owned(),
        (Format::Hermes, Some(_)) => "only what cannot be told from how strings and functions moved".to_owned(),
        (Format::HermesAdaptive, Some(_)) => "the same, with a coder that learns: smaller, slower to apply".to_owned(),
    };
    Cost { format: format.as_str(), size_bytes, offered, why }
}

/// Says what a patch of `bsdiff` is made of.
fn blocks(patch: &[u8]) -> String {
    match ::delta::bsdiff40::block_sizes(patch) {
        Ok([control, difference, extra]) => {
            format!(
                "{control} bytes where to look, {difference} for bytes that changed in place, {extra} for new bytes"
            )
        }
        Err(_) => String::new(),
    }
}

/// Says what the developer can change.
fn advice((old_holds, new_holds): (&str, &str), (old, new): (&[u8], &[u8]), formats: &[Cost]) -> Vec<String> {
    let mut advice = Vec::new();
    if old == new {
        advice.push("the files are the same".to_owned());
    }
    if old_holds != new_holds {
        advice.push(format!("the old file holds {old_holds}, the new one {new_holds}: build both in the same way"));
    }
    let best = formats.first().and_then(|cost| cost.size_bytes).unwrap_or(0);
    // Measured: with a base, a release costs 0.1 to 10 % of the file; without one, 20 to 40 %.
    if old_holds == new_holds && new_holds.starts_with("hermes") && best * 50 > new.len() as u64 {
        advice.push(
            "compile with `hermesc -base-bytecode OLD`, or publish with --renumber-strings: strings then keep their numbers, \
             and patches shrink to a fifth"
                .to_owned(),
        );
    }
    advice
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let of_whole = |size: u64| format!("{:.2} %", 100.0 * size as f64 / self.compressed_bytes.max(1) as f64);
        let row = |cost: &Cost| {
            let size = cost.size_bytes.map_or_else(|| "-".to_owned(), |size| size.to_string());
            let share = cost.size_bytes.map_or_else(|| "-".to_owned(), of_whole);
            vec![cost.format.to_owned(), size, share, cost.why.clone()]
        };
        f.write_str(&table::pairs(&[
            ("old", self.old.clone()),
            ("new", self.new.clone()),
            ("whole file", format!("{} bytes, {} compressed", self.size_bytes, self.compressed_bytes)),
        ]))?;
        f.write_str("\n")?;
        f.write_str(&table::text(
            &["format", "bytes", "of whole", "why"],
            &self.formats.iter().map(row).collect::<Vec<_>>(),
        ))?;
        self.advice.iter().try_for_each(|line| write!(f, "\nhint: {line}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(old: &[u8], new: &[u8]) -> Explanation {
        let folder = tempfile::tempdir().unwrap();
        let files = Explain { old: folder.path().join("old"), new: folder.path().join("new"), quick: true };
        fs::write(&files.old, old).unwrap();
        fs::write(&files.new, new).unwrap();
        explain(&files).unwrap()
    }

    fn text(lines: u32) -> Vec<u8> {
        (0..lines)
            .flat_map(|line| format!("line {} of the text\n", line.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn every_format_has_a_size_and_a_reason_and_the_smallest_comes_first() {
        let (old, mut new) = (text(2_000), text(2_000));
        new.splice(5_000..5_000, *b"a new line\n");
        let explanation = explained(&old, &new);
        let fits_text = |cost: &Cost| !cost.format.starts_with("hbc");
        assert!(explanation.formats.iter().all(|cost| cost.offered == fits_text(cost)), "{explanation}");
        assert!(explanation.formats.iter().all(|cost| !cost.why.is_empty()), "{explanation}");
        assert!(explanation.formats.is_sorted_by_key(|cost| cost.size_bytes.unwrap_or(u64::MAX)));
        assert!(explanation.to_string().contains("bsdiff40"), "{explanation}");
        assert!(explanation.advice.is_empty());
    }

    #[test]
    fn a_mixture_of_engines_is_named_and_its_patches_are_not_offered() {
        let hermes = [&[0xc6, 0x1f, 0xbc, 0x03, 0xc1, 0x03, 0x19, 0x1f][..], &98_u32.to_le_bytes(), &[7; 500]].concat();
        let explanation = explained(&hermes, &text(500));
        assert_eq!((explanation.old.as_str(), explanation.new.as_str()), ("hermes 98", "javascript"));
        assert!(explanation.advice[0].contains("build both in the same way"), "{explanation}");
        assert!(explanation.formats.iter().all(|cost| !cost.offered), "{explanation}");
    }
}
