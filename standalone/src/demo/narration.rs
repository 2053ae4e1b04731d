//! This file's job is to tell people what the demo does and what it costs.

use std::io::Write as _;
use std::time::Duration;

/// Where the column with the costs begins.
const COST_COLUMN: usize = 66;

/// Numbers the steps and remembers the figures for the summary.
#[derive(Debug, Default)]
pub struct Narration {
    steps: usize,
    figures: Vec<(&'static str, String)>,
}

impl Narration {
    /// Begins a step.
    pub fn step(&mut self, title: &str) {
        self.steps += 1;
        line(&format!("\n{:>2}. {title}", self.steps));
    }

    /// Shows the command that an operator would type.
    pub fn command(&self, command: &str) {
        line(&format!("    $ aloft {command}"));
    }

    /// Tells one fact with its cost.
    pub fn fact(&self, text: &str, cost: &str) {
        let padding = COST_COLUMN.saturating_sub(text.chars().count()).max(2);
        line(&format!("    {text}{cost:>width$}", width = padding + cost.chars().count()));
    }

    /// Remembers a figure for the summary.
    pub fn figure(&mut self, name: &'static str, value: String) {
        self.figures.push((name, value));
    }

    /// Prints the figures.
    pub fn summary(&self) {
        line("\nSummary");
        for (name, value) in &self.figures {
            line(&format!("    {name:<44}{value}"));
        }
    }
}

/// Prints a line; a reader that went away is no failure.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Writes a duration in the unit that suits it.
#[must_use]
pub fn time(duration: Duration) -> String {
    match duration.as_micros() {
        us @ 0..10_000 => format!("{us} µs"),
        us @ 10_000..10_000_000 => format!("{} ms", us / 1_000),
        us => format!("{} s", us / 1_000_000),
    }
}

/// Writes a size in the unit that suits it, with one decimal.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_a_readable_number_of_digits() {
        assert_eq!(time(Duration::from_micros(950)), "950 µs");
        assert_eq!(time(Duration::from_millis(1_500)), "1500 ms");
        assert_eq!(size(9_999), "9999 B");
        assert_eq!(size(1_234_567), "1234.5 kB");
        assert_eq!(size(12_345_678), "12.3 MB");
    }
}
