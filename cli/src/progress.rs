//! This file's job is to show progress to people who watch, and to be silent otherwise.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(120);

/// Makes bars and spinners on standard error; hidden ones when nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Shows progress only on a terminal and without `--json`.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { shown: !json && std::io::stderr().is_terminal() }
    }

    /// Begins a bar over so many bytes.
    #[must_use]
    pub fn bytes(&self, what: &'static str, total_bytes: u64) -> ProgressBar {
        const TEMPLATE: &str = "{msg:<11} [{bar:32}] {bytes:>11}/{total_bytes} {bytes_per_sec} {eta}";
        let bar = ProgressBar::with_draw_target(Some(total_bytes), self.target()).with_message(what);
        match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }

    /// Begins a spinner.
    #[must_use]
    pub fn waiting(&self, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, self.target()).with_message(what);
        if self.shown {
            bar.enable_steady_tick(TICK);
        }
        bar
    }

    fn target(self) -> ProgressDrawTarget {
        if self.shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
    }
}
