//! This file's job is to be the entrance of a role that runs as a process of its own.

use crate::config::{self, EXIT_CODE, Log, Validate};
use crate::log;
use crate::observe::Metrics;
use crate::shutdown::{self, Stop};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// The whole configuration of a process.
pub trait Settings: DeserializeOwned + Validate {
    /// The commented defaults of all its tables, in TOML.
    const DEFAULTS: &'static [&'static str];

    /// How it logs.
    fn log(&self) -> &Log;
}

/// Reads the configuration, sets up logs, signals and the async runtime, and runs the role until it ends.
///
/// The only argument names a file that overrides the defaults; the environment overrides the file. Returns 64 when the configuration is
/// wrong and 1 when the role fails.
#[expect(clippy::print_stderr, reason = "there is no log before the configuration is read")]
pub fn main<T: Settings, F: Future<Output = Result<(), Box<dyn Error>>>>(
    name: &str,
    role: impl FnOnce(T, Metrics, Stop) -> F,
) -> ExitCode {
    let file = std::env::args_os().nth(1).map(PathBuf::from);
    let settings: T = match config::load(T::DEFAULTS, file.as_deref(), std::env::vars()) {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("{name}: {problems}");
            return ExitCode::from(EXIT_CODE);
        }
    };
    let (logs, metrics) = (log::init(settings.log()), Metrics::new());
    logs.count_dropped(&metrics);
    // An error means that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(settings, metrics, role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run<T, F: Future<Output = Result<(), Box<dyn Error>>>>(
    settings: T,
    metrics: Metrics,
    role: impl FnOnce(T, Metrics, Stop) -> F,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (shutdown, stop) = shutdown::channel();
        shutdown::on_signal(shutdown)?;
        role(settings, metrics, stop).await
    })
}

/// Writes an error with what lies beneath it: the operator who reads the log needs the cause.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn the_cause_is_part_of_the_text() {
        assert_eq!(with_causes(&Outer(std::fmt::Error)), format!("outer: {}", std::fmt::Error));
    }
}
