//! This file's job is to measure what open connections cost an edge in memory, and other clients in time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::load::{LOAD_CORE, Load, SECONDS};
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

const BESIDE_IDLE: Figure<'_> =
    Figure { case: "p99 beside 15,000 idle connections", unit: "ms", better: Better::Lower };
const BESIDE_SLOW: Figure<'_> =
    Figure { case: "p99 beside 1,000 clients of a byte a second", unit: "ms", better: Better::Lower };
const ALONE: &str = "the same edge without them";
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
    /// what other clients see of them, and of slow ones.
    pub fn measure(self, rounds: usize, report: &mut Report) -> Result<()> {
        allow_files(CONNECTIONS + SLOW_CLIENTS + 200)?;
        let mut alone = self.p99_ms(rounds)?;
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
        let beside_idle = self.p99_ms(rounds)?;
        drop(held);
        let beside_slow = self.p99_beside_slow_clients(rounds)?;
        // Before and after the others, so that an edge which has just started is not all that they are compared with.
        alone.extend(self.p99_ms(rounds)?);
        report.record(BESIDE_IDLE, ALONE, &beside_idle, &alone);
        report.record(BESIDE_SLOW, ALONE, &beside_slow, &alone);
        Ok(())
    }

    /// What good clients wait at most, but for one time in a hundred.
    fn p99_ms(self, rounds: usize) -> Result<Vec<f64>> {
        let (port, path, script, connections) = (self.port, "/healthz", None, GOOD_CLIENTS);
        let load = Load { port, path, script, connections, seconds: SECONDS, core: LOAD_CORE };
        (0..rounds).map(|_| Ok(load.run()?.p99_ms)).collect()
    }

    fn p99_beside_slow_clients(self, rounds: usize) -> Result<Vec<f64>> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let slow = scope.spawn(|| self.be_slow(&is_over));
            let seen = self.p99_ms(rounds);
            is_over.store(true, Ordering::Relaxed);
            slow.join().map_err(|_| anyhow!("the slow clients broke down"))??;
            seen
        })
    }

    /// Sends a byte a second on many connections; who is cut off comes again.
    fn be_slow(self, is_over: &AtomicBool) -> Result<()> {
        let open = || TcpStream::connect(("127.0.0.1", self.port)).context("the edge takes no more connections");
        let mut clients = (0..SLOW_CLIENTS).map(|_| Ok((open()?, 0))).collect::<Result<Vec<_>>>()?;
        while !is_over.load(Ordering::Relaxed) {
            for (stream, sent) in &mut clients {
                // All together once a second would be a flood instead.
                thread::sleep(Duration::from_secs(1) / SLOW_CLIENTS as u32);
                let byte = SLOW_REQUEST.get(*sent).copied().unwrap_or(b'x');
                *sent += 1;
                if stream.write_all(&[byte]).is_err() {
                    (*stream, *sent) = (open()?, 0);
                }
            }
        }
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
