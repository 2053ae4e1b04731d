//! This file's job is the suite `delta`: how small the patches between two bundles are, and what making and applying them costs, beside
//! Debian's `bsdiff`.

mod measure;
mod pairs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::field::target_folder;
use super::report::{Better, Figure, Report, aligned};
use super::{Bench, Suite};
use crate::up::cargo;
use crate::{corpus, supervisor::Supervisor};
use measure::{Cost, run};
use pairs::{Kind, Pair};

/// What makes patches.
struct Method {
    name: &'static str,
    /// The format and the effort that our program takes; none for the peer.
    ours: Option<[&'static str; 2]>,
    /// Whether the new file gets the numbers of the old one's strings first, as `aloft release --renumber-strings` does.
    renumbers: bool,
    kinds: &'static [Kind],
}

impl Method {
    const fn new(name: &'static str, ours: Option<[&'static str; 2]>, kinds: &'static [Kind]) -> Self {
        Self { name, ours, renumbers: false, kinds }
    }
}

const HBC: &[Kind] = &[Kind::Plain, Kind::Based];
const ALL: &[Kind] = &[Kind::Script, Kind::Plain, Kind::Based];

/// The peer is the first.
const METHODS: &[Method] = &[
    Method::new("bsdiff", None, ALL),
    Method::new("bsdiff40 quick", Some(["bsdiff40", "quick"]), ALL),
    Method::new("bsdiff40 best", Some(["bsdiff40", "best"]), ALL),
    Method::new("dcz quick", Some(["dcz", "quick"]), ALL),
    Method::new("dcz best", Some(["dcz", "best"]), ALL),
    Method::new("dcb best", Some(["dcb", "best"]), ALL),
    Method { renumbers: true, ..Method::new("bsdiff, renumbered", None, &[Kind::Plain]) },
    Method::new("hbc1 quick", Some(["hbc1", "quick"]), HBC),
    Method::new("hbc1 best", Some(["hbc1", "best"]), HBC),
    Method::new("hbc2 best", Some(["hbc2", "best"]), HBC),
];

/// A geometric mean that is compared with the peer's.
struct Mean {
    case: &'static str,
    method: &'static str,
    kinds: &'static [Kind],
    /// With pairs that differ in one line, too: there, all formats are as small as their headers.
    with_fixes: bool,
}

const MEANS: &[Mean] = &[
    Mean { case: "hermes base geo", method: "hbc1 best", kinds: &[Kind::Based], with_fixes: false },
    Mean { case: "hermes plain geo", method: "hbc1 best", kinds: &[Kind::Plain], with_fixes: false },
    Mean { case: "hermes adaptive base geo", method: "hbc2 best", kinds: &[Kind::Based], with_fixes: false },
    Mean { case: "hermes adaptive plain geo", method: "hbc2 best", kinds: &[Kind::Plain], with_fixes: false },
    Mean { case: "hermes base geo, with fixes", method: "hbc1 best", kinds: &[Kind::Based], with_fixes: true },
    Mean { case: "hermes plain geo, with fixes", method: "hbc1 best", kinds: &[Kind::Plain], with_fixes: true },
    Mean { case: "hermes quick base geo", method: "hbc1 quick", kinds: &[Kind::Based], with_fixes: false },
    Mean { case: "hermes quick plain geo", method: "hbc1 quick", kinds: &[Kind::Plain], with_fixes: false },
    Mean { case: "renumbered plain geo", method: "bsdiff, renumbered", kinds: &[Kind::Plain], with_fixes: false },
    Mean {
        case: "renumbered plain geo, with fixes",
        method: "bsdiff, renumbered",
        kinds: &[Kind::Plain],
        with_fixes: true,
    },
    Mean { case: "bsdiff40 hbc geo", method: "bsdiff40 best", kinds: HBC, with_fixes: false },
    Mean { case: "bsdiff40 js geo", method: "bsdiff40 best", kinds: &[Kind::Script], with_fixes: false },
    Mean { case: "bsdiff40 hbc geo, with fixes", method: "bsdiff40 best", kinds: HBC, with_fixes: true },
    Mean { case: "bsdiff40 js geo, with fixes", method: "bsdiff40 best", kinds: &[Kind::Script], with_fixes: true },
    Mean { case: "bsdiff40 quick hbc geo", method: "bsdiff40 quick", kinds: HBC, with_fixes: false },
    Mean { case: "bsdiff40 quick js geo", method: "bsdiff40 quick", kinds: &[Kind::Script], with_fixes: false },
    Mean { case: "dictionary js geo", method: "dcb best", kinds: &[Kind::Script], with_fixes: false },
];

/// A patch that was made, applied and compared with the new file.
struct Row {
    pair: usize,
    method: &'static str,
    size_bytes: u64,
    encode: Cost,
    decode: Cost,
}

/// `./x bench delta`.
pub struct Delta;

impl Suite for Delta {
    fn name(&self) -> &'static str {
        "delta"
    }

    fn about(&self) -> &'static str {
        "how small patches between bundles are, and what they cost, beside Debian's bsdiff"
    }

    fn run(&self, bench: &Bench<'_>, report: &mut Report) -> Result<()> {
        let corpus = corpus::ensure(bench.places, bench.supervisor)?;
        let build = ["build", "--quiet", "--release", "--package", "delta", "--example", "patch"];
        bench.supervisor.run(cargo(bench.places).args(build))?;
        let folder = tempfile::tempdir()?;
        let program = target_folder(bench)?.join("release/examples/patch");
        let tools = Tools { supervisor: bench.supervisor, program, folder: folder.path(), rounds: bench.rounds };
        let pairs = pairs::list(&corpus);
        let mut rows = Vec::new();
        let mut wholes = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            wholes.push(tools.whole(&pair.new)?);
            for method in METHODS.iter().filter(|method| method.kinds.contains(&pair.kind)) {
                let measured = tools.measure(index, pair, method);
                rows.push(measured.with_context(|| format!("{} of {}", method.name, pair.name))?);
            }
        }
        print!("{}", table(&pairs, &wholes, &rows));
        for mean in MEANS {
            compare(mean, &pairs, &rows, report);
        }
        costs(&pairs, &rows, report);
        Ok(())
    }
}

/// What patches are made and applied with.
struct Tools<'a> {
    supervisor: &'a Supervisor,
    program: PathBuf,
    folder: &'a Path,
    rounds: usize,
}

impl Tools<'_> {
    /// Returns the size of a file compressed with Brotli at its best.
    fn whole(&self, file: &Path) -> Result<u64> {
        let out = self.folder.join("whole");
        run(self.supervisor, Command::new(&self.program).arg("alone").arg(file).arg(&out))?;
        Ok(fs::metadata(out)?.len())
    }

    /// Returns the new file with the numbers of the old one's strings.
    fn renumbered(&self, pair: &Pair) -> Result<PathBuf> {
        let out = self.folder.join("renumbered");
        run(self.supervisor, Command::new(&self.program).arg("renumber").args([&pair.old, &pair.new, &out]))?;
        Ok(out)
    }

    /// Makes a patch once, applies it several times, with the peer's program too where it can, and compares the result.
    fn measure(&self, index: usize, pair: &Pair, method: &Method) -> Result<Row> {
        let (patch, made) = (self.folder.join("patch"), self.folder.join("made"));
        let new = if method.renumbers { self.renumbered(pair)? } else { pair.new.clone() };
        let encode = match method.ours {
            None => run(self.supervisor, Command::new("bsdiff").args([&pair.old, &new, &patch]))?,
            Some(how) => {
                let mut command = Command::new(&self.program);
                run(self.supervisor, command.arg("encode").args(how).args([&pair.old, &new, &patch]))?
            }
        };
        let is_bsdiff = method.ours.is_none_or(|[format, _]| format == "bsdiff40");
        if is_bsdiff {
            run(self.supervisor, Command::new("bspatch").args([&pair.old, &made, &patch]))?;
            ensure!(fs::read(&made)? == fs::read(&new)?, "bspatch makes another file");
        }
        let mut decode = Vec::new();
        for _ in 0..self.rounds {
            decode.push(match method.ours {
                None => run(self.supervisor, Command::new("bspatch").args([&pair.old, &made, &patch]))?,
                Some([format, _]) => {
                    let mut command = Command::new(&self.program);
                    run(self.supervisor, command.args(["decode", format]).args([&pair.old, &patch, &made]))?
                }
            });
            ensure!(fs::read(&made)? == fs::read(&new)?, "another file was made");
        }
        let size_bytes = fs::metadata(&patch)?.len();
        Ok(Row { pair: index, method: method.name, size_bytes, encode, decode: measure::median(&mut decode) })
    }
}

/// The table of every patch.
fn table(pairs: &[Pair], wholes: &[u64], rows: &[Row]) -> String {
    let head = [
        "pair",
        "method",
        "bytes",
        "% of brotli-11",
        "/ bsdiff",
        "encode ms CPU",
        "decode ms CPU",
        "encode MiB",
        "decode MiB",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    for row in rows {
        let peer = rows.iter().find(|peer| peer.pair == row.pair && peer.method == METHODS[0].name);
        let peer = peer.map_or(f64::NAN, |peer| row.size_bytes as f64 / peer.size_bytes as f64);
        let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
        lines.push([
            pairs[row.pair].name.clone(),
            row.method.to_owned(),
            row.size_bytes.to_string(),
            format!("{:.2}", 100.0 * row.size_bytes as f64 / wholes[row.pair] as f64),
            format!("{peer:.3}"),
            row.encode.cpu_ms().to_string(),
            row.decode.cpu_ms().to_string(),
            mib(row.encode.peak_bytes),
            mib(row.decode.peak_bytes),
        ]);
    }
    aligned(&lines)
}

/// Records one geometric mean.
fn compare(mean: &Mean, pairs: &[Pair], rows: &[Row], report: &mut Report) {
    let sizes = |method: &str| -> Vec<f64> {
        let of = |row: &&Row| {
            let pair = &pairs[row.pair];
            row.method == method && mean.kinds.contains(&pair.kind) && (mean.with_fixes || !pair.is_fix)
        };
        rows.iter().filter(of).map(|row| row.size_bytes as f64).collect()
    };
    let figure = Figure { case: mean.case, unit: "bytes, geometric mean", better: Better::Lower };
    let peer = METHODS[0].name;
    report.record(figure, "bsdiff 4.3", &geometric(&sizes(mean.method)), &geometric(&sizes(peer)));
}

/// Records what applying costs, beside `bspatch`.
fn costs(pairs: &[Pair], rows: &[Row], report: &mut Report) {
    for (case, method, kinds) in [
        ("bsdiff40 decode cpu geo", "bsdiff40 best", ALL),
        ("hermes decode cpu geo", "hbc1 best", HBC),
        ("hermes adaptive decode cpu geo", "hbc2 best", HBC),
    ] {
        let decode = |method: &str| -> Vec<f64> {
            let of = |row: &&Row| row.method == method && kinds.contains(&pairs[row.pair].kind);
            rows.iter().filter(of).map(|row| row.decode.cpu_us as f64 / 1_000.0).collect()
        };
        let figure = Figure { case, unit: "ms CPU", better: Better::Lower };
        report.record(figure, "bspatch", &geometric(&decode(method)), &geometric(&decode(METHODS[0].name)));
    }
}

/// The geometric mean, or nothing of nothing.
fn geometric(values: &[f64]) -> Vec<f64> {
    let logarithms: f64 = values.iter().map(|value| value.ln()).sum();
    if values.is_empty() { Vec::new() } else { vec![(logarithms / values.len() as f64).exp()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_geometric_mean_is_that_of_ratios() {
        assert!((geometric(&[2.0, 8.0])[0] - 4.0).abs() < 1e-9);
        assert!(geometric(&[]).is_empty());
    }

    #[test]
    fn every_mean_names_a_method_that_is_measured_for_its_kinds() {
        for mean in MEANS {
            let method = METHODS.iter().find(|method| method.name == mean.method).unwrap();
            assert!(mean.kinds.iter().all(|kind| method.kinds.contains(kind)), "{}", mean.case);
        }
    }
}
