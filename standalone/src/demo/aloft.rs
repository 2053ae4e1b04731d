//! This file's job is to run the command line as an operator would.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The exit code of `aloft` for what exists already.
const EXIT_CONFLICT: i32 = 5;

/// The `aloft` program with everything that it needs to know.
#[derive(Debug, Clone)]
pub struct Aloft {
    /// The program.
    pub program: PathBuf,
    /// The control plane's address.
    pub server: String,
    /// The API key.
    pub api_key: String,
    /// The app that commands are about.
    pub app: String,
    /// The channel that commands are about.
    pub channel: String,
}

/// What a command printed and how long it took.
#[derive(Debug)]
pub struct Ran {
    /// The JSON document on standard output.
    pub json: Value,
    /// From start to end of the process.
    pub took: Duration,
}

/// Finds the program beside this one, where cargo and packages put it.
///
/// # Errors
/// When it is not there.
pub fn find() -> Result<PathBuf> {
    let this = std::env::current_exe().context("finding this program")?;
    // Test programs lie one folder deeper.
    let folders = this.ancestors().skip(1).take(2);
    let beside = folders.map(|folder| folder.join(format!("aloft{}", std::env::consts::EXE_SUFFIX)));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("there is no `aloft` beside {}; build it: cargo build --package cli", this.display()))
}

impl Aloft {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it fails; the text is the command's own.
    pub async fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let (code, ran) = self.attempt(arguments).await?;
        if code != 0 {
            let message = ran.json["error"]["message"].as_str().unwrap_or("no message").to_owned();
            bail!("`aloft {}` ended with exit code {code}: {message}", arguments.join(" "));
        }
        Ok(ran)
    }

    /// Runs a command that makes something. Returns none when it exists already.
    ///
    /// # Errors
    /// When it fails for another reason.
    pub async fn make(&self, arguments: &[&str]) -> Result<Option<Ran>> {
        match self.attempt(arguments).await? {
            (0, ran) => Ok(Some(ran)),
            (EXIT_CONFLICT, _) => Ok(None),
            (code, ran) => bail!("`aloft {}` ended with exit code {code}: {}", arguments.join(" "), ran.json),
        }
    }

    async fn attempt(&self, arguments: &[&str]) -> Result<(i32, Ran)> {
        let begun = Instant::now();
        let output = tokio::process::Command::new(&self.program)
            .args(arguments)
            .arg("--json")
            .env("ALOFT_SERVER", &self.server)
            .env("ALOFT_API_KEY", &self.api_key)
            .env("ALOFT_APP", &self.app)
            .env("ALOFT_CHANNEL", &self.channel)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("starting {}", self.program.display()))?;
        let took = begun.elapsed();
        let json = serde_json::from_slice(&output.stdout).with_context(|| {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("`aloft {}` printed no JSON document: {stderr}", arguments.join(" "))
        })?;
        Ok((output.status.code().unwrap_or(-1), Ran { json, took }))
    }
}

/// Writes a path of the command line relative to a folder, for people.
#[must_use]
pub fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}
