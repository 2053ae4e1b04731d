//! This file's job is to read what tests wrote down about faults.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::record::{Outcome, Record};

/// What a test wrote down.
#[derive(Deserialize)]
struct Line {
    fault: String,
    injected: u64,
    lost: u64,
    wrong: u64,
    seconds: f64,
    control: String,
    control_seen: bool,
}

/// Adds what the tests wrote down, also when one of them failed.
pub fn read(folder: &Path, record: &mut Record) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for file in files {
        let line: Line = serde_json::from_slice(&fs::read(&file)?).context("a test wrote no record")?;
        ensure!(line.control_seen, "{}: breaking the guard ({}) changed nothing", line.fault, line.control);
        let took = Duration::from_secs_f64(line.seconds);
        let outcome = Outcome { injected: line.injected, lost: line.lost, wrong: line.wrong, took };
        record.add(&line.fault, &line.control, outcome);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(control_seen: bool) -> Result<bool> {
        let folder = tempfile::tempdir().unwrap();
        let line = serde_json::json!({
            "fault": "f", "injected": 1, "lost": 1, "wrong": 0, "seconds": 1.5, "control": "g", "control_seen": control_seen,
        });
        fs::write(folder.path().join("f.json"), line.to_string()).unwrap();
        let mut record = Record::new("spine", 1);
        read(folder.path(), &mut record)?;
        Ok(record.has_losses())
    }

    #[test]
    fn a_loss_counts_and_an_unseen_control_is_an_error() {
        assert!(read_line(true).unwrap());
        assert!(read_line(false).is_err());
    }
}
