//! This file's job is to fuzz everything that reads foreign bytes, for a bounded time, on the stable toolchain.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::places::Places;
use crate::supervisor::Supervisor;
use crate::up::cargo;

/// The program with all targets.
const PROGRAM: &str = "aloft-fuzz";
/// As large as the largest kept input, and more than any parser needs to show all that it does.
const INPUT_MAX_BYTES: u32 = 20 * 1024;
/// One input may take this long: all parsers are linear.
const INPUT_TIMEOUT_S: u32 = 10;
/// Far above what the bounds of any parser allow for an input of this size.
const MEMORY_MAX_MB: u32 = 1024;

/// What `./x fuzz` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The target; without it, all of them run, one after the other
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Only list the targets
    #[arg(long)]
    list: bool,
}

/// What a run of one target showed, as it stands in `target/fuzz/TARGET.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Inputs that were tried.
    pub executions: u64,
    /// Branches of our code that they took.
    pub edges: u64,
    /// How long it ran.
    pub seconds: u32,
}

/// Builds the fuzzer and runs the targets. They start from the kept inputs and from what earlier runs on this machine found. An input
/// that breaks something is kept in `target/fuzz`, and the command fails.
pub fn run(places: &Places, supervisor: &Supervisor, arguments: &Arguments) -> Result<()> {
    let targets = targets(places.root())?;
    if arguments.list {
        targets.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    let wanted: Vec<&String> =
        targets.iter().filter(|name| arguments.target.as_ref().is_none_or(|wanted| wanted == *name)).collect();
    ensure!(!wanted.is_empty(), "there is no such target; there are: {}", targets.join(", "));
    let program = build(places, supervisor)?;
    println!("{:18} {:>12} {:>8}", "target", "executions", "edges");
    let mut broken = Vec::new();
    for target in wanted {
        match fuzz(places, supervisor, &program, target, arguments.seconds) {
            Ok(figures) => println!("{target:18} {:>12} {:>8}", figures.executions, figures.edges),
            Err(error) => {
                supervisor.refuse_when_interrupted()?;
                println!("{target:18} broken: {error:#}");
                broken.push(target.as_str());
            }
        }
    }
    ensure!(broken.is_empty(), "these targets broke: {}", broken.join(", "));
    Ok(())
}

/// Every file in `fuzz/fuzz_targets`.
fn targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets")).context("cannot list the targets")? {
        if let Some(name) = entry?.file_name().to_string_lossy().strip_suffix(".rs") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Only our crates are instrumented, with what they make of generic code: dependencies are taken from the ordinary build, so this is
/// quick. Cargo keeps the instrumented crates apart from the others.
fn build(places: &Places, supervisor: &Supervisor) -> Result<PathBuf> {
    eprintln!("x: building the fuzzer");
    let mut command = cargo(places);
    command.args(["build", "--quiet", "--package", "fuzz", "--bin", PROGRAM, "--features", "engine"]);
    command.env("RUSTC_WORKSPACE_WRAPPER", places.root().join("fuzz/instrument"));
    supervisor.run(&mut command)?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| places.root().join("target"), PathBuf::from);
    Ok(folder.join("debug").join(PROGRAM))
}

fn fuzz(places: &Places, supervisor: &Supervisor, program: &Path, target: &str, seconds: u32) -> Result<Figures> {
    let found = places.cache().join("fuzz").join(target);
    let kept = places.root().join("fuzz/corpus").join(target);
    let artifacts = places.figures("fuzz").join(target);
    for folder in [&found, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let log = artifacts.join("log");
    let mut command = Command::new(program);
    command.env("ALOFT_FUZZ_TARGET", target).arg(&found).arg(&kept).args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_MAX_BYTES}"),
        format!("-timeout={INPUT_TIMEOUT_S}"),
        format!("-rss_limit_mb={MEMORY_MAX_MB}"),
        format!("-artifact_prefix={}/", artifacts.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    command.stderr(File::create(&log).with_context(|| format!("cannot create {}", log.display()))?);
    let status = supervisor.spawn(&mut command, Signal::TERM)?.wait()?;
    let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    if !status.success() {
        bail!("{}; see {}", what_broke(&text, target), log.display());
    }
    let figures = read_figures(&text, seconds).with_context(|| format!("{} has no figures", log.display()))?;
    let record = places.figures("fuzz").join(format!("{target}.json"));
    fs::write(&record, serde_json::to_vec(&figures)?).with_context(|| format!("cannot write {}", record.display()))?;
    Ok(figures)
}

/// libFuzzer's last status line has `cov: N`, its final statistics have the number of executions.
fn read_figures(log: &str, seconds: u32) -> Option<Figures> {
    let after = |line: &str, word: &str| line.split_once(word)?.1.split_whitespace().next()?.parse().ok();
    Some(Figures {
        executions: log.lines().find_map(|line| after(line, "stat::number_of_executed_units:"))?,
        edges: log.lines().rev().find_map(|line| after(line, " cov: "))?,
        seconds,
    })
}

fn what_broke(log: &str, target: &str) -> String {
    let line = |needle: &str| log.lines().find(|line| line.contains(needle)).unwrap_or_default().trim();
    let why = [line("panicked at"), line("ERROR: libFuzzer")].join(" ");
    let input = line("Test unit written to");
    format!("{why}. {input}; mend it, and copy the input to fuzz/corpus/{target} so that ./x test keeps trying it")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
        #99\tDONE   cov: 40 ft: 90 corp: 9/99b lim: 4 exec/s: 49 rss: 31Mb\n\
        stat::number_of_executed_units: 99\nstat::average_exec_per_sec:     49\n";

    #[test]
    fn the_last_status_line_counts() {
        assert_eq!(read_figures(LOG, 5), Some(Figures { executions: 99, edges: 40, seconds: 5 }));
        assert_eq!(read_figures("panicked", 5), None);
    }

    #[test]
    fn a_break_says_what_to_do_with_the_input() {
        let log =
            "thread panicked at src/x.rs:3\n==1== ERROR: libFuzzer: deadly signal\nTest unit written to a/crash-1\n";
        let text = what_broke(log, "archive");
        assert!(
            text.contains("src/x.rs:3") && text.contains("a/crash-1") && text.contains("fuzz/corpus/archive"),
            "{text}"
        );
    }
}
