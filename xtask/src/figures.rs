//! This file's job is to write docs/figures.md from the latest bench, faults and fuzz runs.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

use crate::bench::report::Case;
use crate::faults::record::Fault;
use crate::fuzz::Figures as Fuzzed;
use crate::places::Places;

/// A suite's name with its lines.
type Suites<T> = Vec<(String, Vec<T>)>;

/// Quotes every `target/{bench,faults,fuzz}/*.json` with the machine, the versions and the commands.
pub fn run(places: &Places) -> Result<()> {
    let benches: Suites<Case> = read_files(&places.figures("bench"))?;
    let faults: Suites<Fault> = read_files(&places.figures("faults"))?;
    let fuzzed: Vec<(String, Fuzzed)> = read_files(&places.figures("fuzz"))?;
    ensure!(!benches.is_empty() || !faults.is_empty(), "nothing was measured yet: run ./x bench SUITE first");
    let target = places.root().join("docs/figures.md");
    fs::write(&target, page(&machine(places.root()), &benches, &faults, &fuzzed))
        .context("cannot write docs/figures.md")?;
    println!("{}", target.display());
    Ok(())
}

/// Reads every file of figures in a folder, with its name.
fn read_files<T: DeserializeOwned>(folder: &Path) -> Result<Vec<(String, T)>> {
    let mut suites = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(suites);
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "json") && !name.starts_with('.') {
            let lines = serde_json::from_slice(&fs::read(&path)?);
            suites.push((name, lines.with_context(|| format!("cannot read {}", path.display()))?));
        }
    }
    suites.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(suites)
}

/// One line about where the figures come from.
fn machine(root: &Path) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let parts = [
        format!("{cores} cores of {}", model.unwrap_or("an unknown processor")),
        answer_of(root, "uname", &["-sr"]),
        answer_of(root, "rustc", &["--version"]),
        format!("commit {}", answer_of(root, "git", &["describe", "--always", "--dirty"])),
    ];
    parts.join(", ")
}

fn answer_of(root: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root).output();
    output.map_or_else(|_| format!("no {program}"), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn page(machine: &str, benches: &Suites<Case>, faults: &Suites<Fault>, fuzzed: &[(String, Fuzzed)]) -> String {
    let mut page = format!(
        "# Figures\n\nWritten by `./x figures`; do not edit. A ratio above 1 means ours is better; both figures are \
         medians of interleaved runs.\n\nMachine: {machine}.\n"
    );
    for (suite, cases) in benches {
        let _ = write!(
            page,
            "\n## `./x bench {suite}`\n\n| case | ours | peer | unit | ratio | runs |\n|---|---|---|---|---|---|\n"
        );
        for case in cases {
            let _ = match (case.ours, case.peer, case.ratio) {
                (Some(ours), Some(peer), Some(ratio)) => writeln!(
                    page,
                    "| {} | {ours:.3} | {peer:.3} ({}) | {} | {ratio:.2} | {} |",
                    case.case, case.peer_name, case.unit, case.runs
                ),
                _ => writeln!(page, "| {} | failed | {} | {} | - | 0 |", case.case, case.peer_name, case.unit),
            };
        }
    }
    for (suite, lines) in faults {
        let _ = write!(
            page,
            "\n## `./x faults {suite}`\n\n| fault | injected | lost | wrong | seed | seconds | control |\n|---|---|---|---|---|---|---|\n"
        );
        for fault in lines {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} | {:.1} | {} |",
                fault.fault, fault.injected, fault.lost, fault.wrong, fault.seed, fault.seconds, fault.control
            );
        }
    }
    if !fuzzed.is_empty() {
        page.push_str("\n## `./x fuzz`\n\n| target | executions | edges | seconds |\n|---|---|---|---|\n");
    }
    for (target, Fuzzed { executions, edges, seconds }) in fuzzed {
        let _ = writeln!(page, "| {target} | {executions} | {edges} | {seconds} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_case_is_shown_as_failed() {
        let json = r#"[{"case":"c","ours":1.0,"peer":2.0,"peer_name":"nginx","unit":"µs","ratio":2.0,"runs":5},
            {"case":"d","ours":null,"peer":null,"peer_name":"nginx","unit":"µs","ratio":null,"runs":0,"failure":"x"}]"#;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("edge.json"), json).unwrap();
        let benches = read_files(folder.path()).unwrap();
        let fuzzed = [("archive".to_owned(), Fuzzed { executions: 9, edges: 8, seconds: 7 })];
        let page = page("a machine", &benches, &Vec::new(), &fuzzed);
        assert!(page.contains("| c | 1.000 | 2.000 (nginx) | µs | 2.00 | 5 |"), "{page}");
        assert!(page.contains("| archive | 9 | 8 | 7 |"), "{page}");
        assert!(page.contains("| d | failed | nginx | µs | - | 0 |"), "{page}");
    }
}
