//! This file's job is to measure what open connections cost an edge in memory, and other clients in time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::interleave::{Samples, interleave};
use super::load::{LOAD_CORE, Load};
use super::process_cost::resident_bytes;
use super::report::{Better, Figure, Report};

/// The usual hard limit on open files of one process.
const FILES: usize = 20_000;
/// As many as leave a process room for its other files.
const CONNECTIONS: usize = FILES - 500;
/// What the design promises: 20,000 within 300 MiB.
const TARGET_KIB: f64 = 300.0 * 1024.0 / 20_000.0;
/// The edge lets go of what a connection needs for requests 10 to 20 s after the last one.
const QUIET_DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);

const FRESH: Figure<'_> =
    Figure { case: "connection that has just asked", unit: "KiB of memory", better: Better::Lower };
const IDLE: Figure<'_> = Figure { case: "idle connection", unit: "KiB of memory", better: Better::Lower };

const BESIDE_IDLE: Figure<'_> =
    Figure { case: "p99 beside 19,500 idle connections", unit: "ms", better: Better::Lower };
const BESIDE_SLOW: Figure<'_> =
    Figure { case: "p99 beside 1,000 clients of a byte a second", unit: "ms", better: Better::Lower };
const ALONE: &str = "an edge without them";
/// A machine that does other things moves a p99 of one run more than any connection does: many short runs in turns.
const RUNS: usize = 25;
const RUN_SECONDS: u32 = 1;
const SLOW_CLIENTS: usize = 1_000;
/// What a slow client sends, a byte at a time.
const SLOW_REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: edge\r\nX-Slow: ";
/// A few good clients that ask without a pause.
const GOOD_CLIENTS: u32 = 4;

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
    /// Opens many connections, lets each ask once, and looks at the edge's memory then and when all have been quiet for a while. Then looks at
    /// what good clients see of them, and of slow ones, in turns with good clients of another edge that has none.
    pub fn measure(self, other: Self, report: &mut Report) -> Result<()> {
        allow_files(FILES)?;
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
            thread::sleep(POLL);
        }
        report.against_target(IDLE, &[each_kib()?], TARGET_KIB);
        let seen = interleave(RUNS, || self.p99_ms(), || other.p99_ms())?;
        report.record(BESIDE_IDLE, ALONE, &seen.ours, &seen.peer);
        drop(held);
        let seen = self.beside_slow_clients(other)?;
        report.record(BESIDE_SLOW, ALONE, &seen.ours, &seen.peer);
        Ok(())
    }

    /// What good clients wait at most, but for one time in a hundred.
    fn p99_ms(self) -> Result<f64> {
        let (port, path, connections) = (self.port, "/healthz", GOOD_CLIENTS);
        let load = Load { port, path, script: None, connections, seconds: RUN_SECONDS, core: LOAD_CORE };
        Ok(load.run()?.p99_ms)
    }

    /// The slow clients rest while the other edge is looked at: what they cost is this edge's.
    fn beside_slow_clients(self, other: Self) -> Result<Samples> {
        let slow = Slow { rest: AtomicBool::new(true), is_over: AtomicBool::new(false) };
        let clients = self.slow_clients()?;
        let p99_ms = |target: Self, rest: bool| {
            slow.rest.store(rest, Ordering::Relaxed);
            target.p99_ms()
        };
        thread::scope(|scope| {
            let busy = scope.spawn(|| self.be_slow(clients, &slow));
            let seen = interleave(RUNS, || p99_ms(self, false), || p99_ms(other, true));
            slow.is_over.store(true, Ordering::Relaxed);
            busy.join().map_err(|_| anyhow!("the slow clients broke down"))??;
            seen
        })
    }

    fn slow_clients(self) -> Result<Vec<(TcpStream, usize)>> {
        (0..SLOW_CLIENTS).map(|_| Ok((self.connect()?, 0))).collect()
    }

    /// Sends a byte a second on each connection; who is cut off comes again.
    fn be_slow(self, mut clients: Vec<(TcpStream, usize)>, slow: &Slow) -> Result<()> {
        while !slow.is_over.load(Ordering::Relaxed) {
            for (stream, sent) in &mut clients {
                // All together once a second would be a flood instead.
                thread::sleep(Duration::from_secs(1) / SLOW_CLIENTS as u32);
                if slow.rest.load(Ordering::Relaxed) {
                    continue;
                }
                let byte = SLOW_REQUEST.get(*sent).copied().unwrap_or(b'x');
                *sent += 1;
                if stream.write_all(&[byte]).is_err() {
                    (*stream, *sent) = (self.connect()?, 0);
                }
            }
        }
        Ok(())
    }

    fn connect(self) -> Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port)).context("the edge takes no more connections")
    }

    fn ask(self) -> Result<TcpStream> {
        let mut stream = self.connect()?;
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

/// What the slow clients are told.
struct Slow {
    rest: AtomicBool,
    is_over: AtomicBool,
}

fn allow_files(wanted: usize) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.current.max(Some(wanted as u64));
    setrlimit(Resource::Nofile, limit).with_context(|| format!("{wanted} files cannot be open at once"))
}
