//! This file's job is to put load on a server with wrk and to read what wrk saw.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

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
