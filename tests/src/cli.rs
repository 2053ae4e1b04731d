//! This file's job is to use the product as a developer does: through `aloft --json`.

use crate::process::binary_path;
use serde_json::Value;
use std::process::{Command, Stdio};

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The JSON document on standard output.
    pub json: Value,
}

/// The command line, logged in.
#[derive(Debug, Clone)]
pub struct Cli {
    server: String,
    api_key: String,
}

impl Cli {
    /// Talks to a server with an API key.
    #[must_use]
    pub const fn new(server: String, api_key: String) -> Self {
        Self { server, api_key }
    }

    /// The same caller at another server.
    #[must_use]
    pub fn at(&self, server: &str) -> Self {
        Self { server: server.to_owned(), api_key: self.api_key.clone() }
    }

    /// The credential, for calls without the command line.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Prepares a command, so that a test can kill it.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary_path("aloft"));
        command.args(arguments).arg("--json").stdin(Stdio::null());
        command.env("ALOFT_SERVER", &self.server).env("ALOFT_API_KEY", &self.api_key);
        command
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Panics
    /// When it prints something else than one JSON document.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("aloft runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let json = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("aloft {arguments:?} printed no JSON ({error}): {text}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        Ended { code: output.status.code().unwrap_or(-1), json }
    }

    /// Runs a command that must succeed and returns its JSON.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "aloft {arguments:?}: {}", ended.json);
        ended.json
    }
}
