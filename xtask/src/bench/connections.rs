//! This file's job is to measure what open connections cost an edge in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process_cost::resident_bytes;
use super::report::{Better, Figure, Report};

/// As many as the usual hard limit on open files lets one process have.
const CONNECTIONS: usize = 15_000;
/// What the design promises: 20,000 within 300 MiB.
const TARGET_KIB: f64 = 300.0 * 1024.0 / 20_000.0;
/// The edge lets go of what a connection needs for requests 10 to 20 s after the last one.
const QUIET_DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

const FRESH: Figure<'_> =
    Figure { case: "connection that has just asked", unit: "KiB of memory", better: Better::Lower };
const IDLE: Figure<'_> = Figure { case: "idle connection", unit: "KiB of memory", better: Better::Lower };

/// A running edge that lets all connections in.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its process.
    pub process_id: u32,
    /// Where devices connect.
    pub port: u16,
    /// Where its metrics are.
    pub admin_port: u16,
}

impl Target {
    /// Opens many connections, lets each ask once, and looks at the edge's memory then and when all have been quiet for a while.
    pub fn measure(self, report: &mut Report) -> Result<()> {
        allow_files(CONNECTIONS + 200)?;
        let before = resident_bytes(self.process_id)?;
        let each_kib = || -> Result<f64> {
            let more = resident_bytes(self.process_id)?.saturating_sub(before);
            Ok(more as f64 / 1024.0 / CONNECTIONS as f64)
        };
        let held = (0..CONNECTIONS).map(|_| self.ask()).collect::<Result<Vec<_>>>()?;
        report.against_target(FRESH, &[each_kib()?], TARGET_KIB);
        let begun = Instant::now();
        while self.quiet()? < CONNECTIONS {
            ensure!(begun.elapsed() < QUIET_DEADLINE, "the edge holds on to idle connections");
            std::thread::sleep(POLL);
        }
        report.against_target(IDLE, &[each_kib()?], TARGET_KIB);
        drop(held);
        Ok(())
    }

    fn ask(self) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).context("the edge takes no more connections")?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).context("the edge does not answer")?;
        ensure!(&status == b"HTTP/1.1 200", "the edge said {}", String::from_utf8_lossy(&status));
        Ok(stream)
    }

    fn quiet(self) -> Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin_port)).context("the edge has no admin port")?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let value = text.lines().find_map(|line| line.strip_prefix("aloft_edge_connections_quiet "));
        value.context("the edge does not count quiet connections")?.parse().context("the count is no number")
    }
}

fn allow_files(wanted: usize) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.current.max(Some(wanted as u64));
    setrlimit(Resource::Nofile, limit).with_context(|| format!("{wanted} files cannot be open at once"))
}
