//! This file's job is to collect what each fault did, print it and write it as JSON.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// One line of a record, as it stands in `target/faults/SUITE.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Stable name.
    pub fault: String,
    /// How often it was injected.
    pub injected: u64,
    /// Things that were promised and are gone.
    pub lost: u64,
    /// Things that are there and should not be, or differ.
    pub wrong: u64,
    /// Repeats the run.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
    /// The guard that was broken to see the test fail.
    pub control: String,
}

/// The faults of one suite.
#[derive(Debug)]
pub struct Record {
    suite: String,
    seed: u64,
    faults: Vec<Fault>,
}

/// What one fault did.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// How often it was injected.
    pub injected: u64,
    /// Things that were promised and are gone.
    pub lost: u64,
    /// Things that are there and should not be, or differ.
    pub wrong: u64,
    /// How long it took.
    pub took: Duration,
}

impl Record {
    /// An empty record.
    pub fn new(suite: &str, seed: u64) -> Self {
        Self { suite: suite.to_owned(), seed, faults: Vec::new() }
    }

    /// Adds a fault and prints its line; `control` names the guard that was broken to see this test fail.
    pub fn add(&mut self, fault: &str, control: &str, outcome: Outcome) {
        println!(
            "{fault}: injected {}, lost {}, wrong {}, seed {}, {:.1} s, control: {control}",
            outcome.injected,
            outcome.lost,
            outcome.wrong,
            self.seed,
            outcome.took.as_secs_f64()
        );
        self.faults.push(Fault {
            fault: fault.to_owned(),
            injected: outcome.injected,
            lost: outcome.lost,
            wrong: outcome.wrong,
            seed: self.seed,
            seconds: outcome.took.as_secs_f64(),
            control: control.to_owned(),
        });
    }

    /// Whether anything was lost or wrong; a fault that was never injected proves nothing and counts as wrong.
    pub fn has_losses(&self) -> bool {
        self.faults.iter().any(|fault| fault.lost > 0 || fault.wrong > 0 || fault.injected == 0)
    }

    /// Writes `SUITE.json` into a folder, in one step.
    pub fn write(&self, folder: &Path) -> Result<()> {
        ensure!(!self.faults.is_empty(), "the suite `{}` injected nothing", self.suite);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let temporary = folder.join(format!(".{}.json", self.suite));
        fs::write(&temporary, serde_json::to_vec_pretty(&self.faults)?).context("cannot write the record")?;
        fs::rename(&temporary, folder.join(format!("{}.json", self.suite))).context("cannot name the record")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(injected: u64, lost: u64, wrong: u64) -> Outcome {
        Outcome { injected, lost, wrong, took: Duration::from_millis(1500) }
    }

    #[test]
    fn a_loss_a_wrong_answer_and_a_fault_never_injected_all_count() {
        for (outcome, expected) in
            [(outcome(5, 0, 0), false), (outcome(5, 1, 0), true), (outcome(5, 0, 1), true), (outcome(0, 0, 0), true)]
        {
            let mut record = Record::new("edge", 7);
            record.add("kill during fill", "chunk hash not checked", outcome);
            assert_eq!(record.has_losses(), expected, "{outcome:?}");
        }
    }

    #[test]
    fn the_file_has_the_agreed_fields() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::new("edge", 7);
        record.add("kill during fill", "chunk hash not checked", outcome(5, 0, 0));
        record.write(folder.path()).unwrap();
        let written: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("edge.json")).unwrap()).unwrap();
        let expected = serde_json::json!([{
            "fault": "kill during fill", "injected": 5, "lost": 0, "wrong": 0, "seed": 7, "seconds": 1.5,
            "control": "chunk hash not checked",
        }]);
        assert_eq!(written, expected);
    }
}
