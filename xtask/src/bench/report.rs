//! This file's job is to collect the cases of a suite, print them as a table and write them as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::interleave::{interleave, median};

/// Which way a figure is better; it decides how the ratio is taken, so that a ratio above 1 always means ours is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Time, CPU, bytes.
    Lower,
    /// Rates.
    Higher,
}

/// One line of a report, as it stands in `target/bench/SUITE.json`. A case that failed has no figures but a reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Stable name.
    pub case: String,
    /// Median of our runs.
    pub ours: Option<f64>,
    /// Median of the peer's runs, or the target.
    pub peer: Option<f64>,
    /// Whom we compare with; `target` when there is no peer.
    pub peer_name: String,
    /// Unit of both figures.
    pub unit: String,
    /// Above 1: ours is better.
    pub ratio: Option<f64>,
    /// Runs of each side.
    pub runs: usize,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What is measured: a stable name, a unit, a direction.
#[derive(Debug, Clone, Copy)]
pub struct Figure<'a> {
    /// Stable name.
    pub case: &'a str,
    /// Unit, such as `µs CPU per request`.
    pub unit: &'a str,
    /// Direction.
    pub better: Better,
}

/// The cases of one suite.
#[derive(Debug)]
pub struct Report {
    suite: String,
    cases: Vec<Case>,
}

impl Report {
    /// An empty report.
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), cases: Vec::new() }
    }

    /// Runs both sides in turns and records their medians; a side that fails makes the case fail, not vanish.
    pub fn compare(
        &mut self,
        figure: Figure<'_>,
        peer_name: &str,
        rounds: usize,
        ours: impl FnMut() -> Result<f64>,
        peer: impl FnMut() -> Result<f64>,
    ) {
        match interleave(rounds, ours, peer) {
            Ok(samples) => self.record(figure, peer_name, &samples.ours, &samples.peer),
            Err(error) => self.fail(figure, peer_name, &format!("{error:#}")),
        }
    }

    /// Records samples taken elsewhere in an interleaved run.
    pub fn record(&mut self, figure: Figure<'_>, peer_name: &str, ours: &[f64], peer: &[f64]) {
        let (Some(our_median), Some(peer_median)) = (median(ours), median(peer)) else {
            return self.fail(figure, peer_name, "there are no samples");
        };
        // A figure of zero is one that the clock could not see: it says nothing, on either side.
        if our_median <= 0.0 || peer_median <= 0.0 {
            return self.fail(figure, peer_name, &format!("cannot compare {our_median} with {peer_median}"));
        }
        let ratio = match figure.better {
            Better::Lower => peer_median / our_median,
            Better::Higher => our_median / peer_median,
        };
        self.cases.push(Case {
            case: figure.case.to_owned(),
            ours: Some(our_median),
            peer: Some(peer_median),
            peer_name: peer_name.to_owned(),
            unit: figure.unit.to_owned(),
            ratio: Some(ratio),
            runs: ours.len().min(peer.len()),
            failure: None,
        });
    }

    /// Records samples that have no peer but a target to meet.
    pub fn against_target(&mut self, figure: Figure<'_>, samples: &[f64], target: f64) {
        self.record(figure, "target", samples, &vec![target; samples.len()]);
    }

    /// Records that a case could not be measured.
    pub fn fail(&mut self, figure: Figure<'_>, peer_name: &str, reason: &str) {
        self.cases.push(Case {
            case: figure.case.to_owned(),
            ours: None,
            peer: None,
            peer_name: peer_name.to_owned(),
            unit: figure.unit.to_owned(),
            ratio: None,
            runs: 0,
            failure: Some(reason.to_owned()),
        });
    }

    /// Whether a case failed.
    pub fn has_failures(&self) -> bool {
        self.cases.iter().any(|case| case.failure.is_some())
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut lines = vec![["case", "ours", "peer", "unit", "ratio", "runs"].map(str::to_owned)];
        for case in &self.cases {
            let peer = match (&case.failure, case.peer) {
                (Some(reason), _) => format!("FAILED: {reason}"),
                (None, peer) => format!("{} ({})", shown(peer), case.peer_name),
            };
            let ratio = case.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            lines.push([case.case.clone(), shown(case.ours), peer, case.unit.clone(), ratio, case.runs.to_string()]);
        }
        aligned(&lines)
    }

    /// Writes `SUITE.json` into a folder, in one step.
    pub fn write(&self, folder: &Path) -> Result<()> {
        ensure!(!self.cases.is_empty(), "the suite `{}` measured nothing", self.suite);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let temporary = folder.join(format!(".{}.json", self.suite));
        fs::write(&temporary, serde_json::to_vec_pretty(&self.cases)?).context("cannot write the report")?;
        fs::rename(&temporary, folder.join(format!("{}.json", self.suite))).context("cannot name the report")
    }
}

/// Three significant places are more than a benchmark can promise.
fn shown(figure: Option<f64>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(figure) if figure.abs() >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure.abs() >= 1.0 => format!("{figure:.2}"),
        Some(figure) => format!("{figure:.4}"),
    }
}

/// Columns as wide as their widest cell.
pub fn aligned<const COLUMNS: usize>(lines: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut table = String::new();
    for line in lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        table.push_str(text.trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    const CPU: Figure<'_> = Figure { case: "update-check cpu", unit: "µs", better: Better::Lower };
    const RATE: Figure<'_> = Figure { case: "jobs per second", unit: "1/s", better: Better::Higher };

    #[test]
    fn a_ratio_above_one_means_that_ours_is_better() {
        let mut report = Report::new("edge");
        report.record(CPU, "nginx", &[5.0], &[10.0]);
        report.record(RATE, "peer", &[50.0], &[100.0]);
        assert_eq!(report.cases[0].ratio, Some(2.0));
        assert_eq!(report.cases[1].ratio, Some(0.5));
    }

    #[test]
    fn a_peer_that_cannot_start_makes_the_case_fail_and_stay() {
        let mut report = Report::new("edge");
        report.compare(CPU, "nginx", 3, || Ok(1.0), || bail!("nginx is not installed"));
        assert!(report.has_failures());
        assert!(report.table().contains("FAILED: nginx is not installed"), "{}", report.table());
    }

    #[test]
    fn a_zero_on_either_side_is_a_failure_in_either_direction() {
        for figure in [CPU, RATE] {
            for (ours, peer) in [(1.0, 0.0), (0.0, 1.0)] {
                let mut report = Report::new("edge");
                report.record(figure, "peer", &[ours], &[peer]);
                assert!(report.has_failures() && report.cases[0].ratio.is_none(), "{figure:?} {ours} {peer}");
            }
        }
    }

    #[test]
    fn the_file_has_the_agreed_fields() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::new("edge");
        report.compare(CPU, "nginx", 2, || Ok(4.0), || Ok(2.0));
        report.write(folder.path()).unwrap();
        let written: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("edge.json")).unwrap()).unwrap();
        let expected = serde_json::json!([{
            "case": "update-check cpu", "ours": 4.0, "peer": 2.0, "peer_name": "nginx",
            "unit": "µs", "ratio": 0.5, "runs": 2,
        }]);
        assert_eq!(written, expected);
    }

    #[test]
    fn a_suite_that_measured_nothing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Report::new("edge").write(folder.path()).is_err());
    }
}
