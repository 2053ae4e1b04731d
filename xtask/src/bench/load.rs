//! This file's job is to put load on a server with wrk and to read what wrk saw.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The server and its peer share this core in turns; the load generator has the other one.
pub const SERVER_CORE: usize = 0;
pub const LOAD_CORE: usize = 1;
/// As in published comparisons of HTTP servers.
pub const CONNECTIONS: u32 = 64;
/// How long each run takes.
pub const SECONDS: u32 = 4;

/// One request of a script.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path with query.
    pub path: String,
    /// Names and values; neither holds a quote.
    pub headers: Vec<(&'static str, String)>,
}

impl Request {
    /// A request of a device that is registered.
    pub fn by_device(path: &str, token: &str) -> Self {
        Self { path: path.to_owned(), headers: vec![("Authorization", format!("Bearer {token}"))] }
    }
}

/// Requests that wrk makes in turn.
#[derive(Debug)]
pub struct Script {
    /// Where it lies.
    pub path: PathBuf,
}

impl Script {
    /// Writes a script into the folder.
    pub fn write(folder: &Path, requests: &[Request]) -> Result<Self> {
        let format = |Request { path, headers }: &Request| {
            let headers = headers.iter().map(|(name, value)| format!("[\"{name}\"] = \"{value}\"")).collect::<Vec<_>>();
            format!("  wrk.format(nil, \"{path}\", {{ {} }}),", headers.join(", "))
        };
        let text = format!(
            "local requests\nlocal at = 0\nfunction init(args)\n  requests = {{\n{}\n  }}\nend\n\
             function request()\n  at = at % #requests + 1\n  return requests[at]\nend\n",
            requests.iter().map(format).collect::<Vec<_>>().join("\n")
        );
        let file = tempfile::Builder::new().prefix("requests-").suffix(".lua").tempfile_in(folder)?;
        fs::write(file.path(), text)?;
        let (_, path) = file.keep()?;
        Ok(Self { path })
    }
}

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Port on loopback.
    pub port: u16,
    /// Path with query.
    pub path: &'a str,
    /// A Lua script that makes the requests, if they are not all the same.
    pub script: Option<&'a Path>,
    /// Open connections.
    pub connections: u32,
    /// How long.
    pub seconds: u32,
    /// The core that wrk runs on.
    pub core: usize,
}

/// What wrk saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Answered requests.
    pub requests: u64,
    /// The 99th percentile of the latency in milliseconds.
    pub p99_ms: f64,
    /// Answered requests each second.
    pub requests_per_second: f64,
}

impl Load<'_> {
    /// Runs wrk and returns the server's CPU in µs for each request.
    pub fn cost(&self, cpu: impl Fn() -> Result<Duration>) -> Result<(f64, Seen)> {
        let before = cpu()?;
        let seen = self.run()?;
        let spent = cpu()? - before;
        Ok((spent.as_micros() as f64 / seen.requests as f64, seen))
    }

    /// Runs wrk to its end. An answer that is not a success, or a broken connection, is an error.
    pub fn run(&self) -> Result<Seen> {
        let mut command = Command::new("taskset");
        command.arg("-c").arg(self.core.to_string()).arg("wrk").args(["-t1", "--latency"]);
        command.arg(format!("-c{}", self.connections)).arg(format!("-d{}s", self.seconds));
        if let Some(script) = self.script {
            command.arg("-s").arg(script);
        }
        command.arg(format!("http://127.0.0.1:{}{}", self.port, self.path));
        let output = command.output().context("wrk does not start")?;
        let shown = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {shown}");
        ensure!(!shown.contains("Non-2xx") && !shown.contains("Socket errors"), "wrk saw errors: {shown}");
        read(&shown).with_context(|| format!("unexpected output of wrk: {shown}"))
    }
}

fn read(shown: &str) -> Option<Seen> {
    let line = |marker: &str| shown.lines().map(str::trim).find(|line| line.contains(marker));
    let requests = line(" requests in ")?.split_whitespace().next()?.parse().ok()?;
    let p99_ms = milliseconds(line("99%")?.split_whitespace().nth(1)?)?;
    let requests_per_second = line("Requests/sec:")?.split_whitespace().nth(1)?.parse().ok()?;
    Some(Seen { requests, p99_ms, requests_per_second })
}

fn milliseconds(text: &str) -> Option<f64> {
    let split = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    match unit {
        "us" => Some(number / 1_000.0),
        "ms" => Some(number),
        "s" => Some(number * 1_000.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_wrk_are_found() {
        let shown = "Running 4s test\n  Latency Distribution\n     50%  410.00us\n     99%    1.25ms\n  \
                     424242 requests in 4.00s, 1.2GB read\nRequests/sec: 106060.50\nTransfer/sec: 300MB\n";
        let expected = Seen { requests: 424_242, p99_ms: 1.25, requests_per_second: 106_060.5 };
        assert_eq!(read(shown), Some(expected));
        assert_eq!(read("nothing"), None);
        assert_eq!(milliseconds("410.00us"), Some(0.41));
    }
}
