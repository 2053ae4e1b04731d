//! This file's job is to count what a server spends on a request, with Valgrind's Callgrind: the same on every machine.
//!
//! Only the program's own instructions are seen, not the kernel's. A server runs twice, answering more requests the second time; what it
//! spends on starting and stopping is in both counts.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::Bench;
use super::callgrind::{self, Counts};
use super::field::{listens, wait_until};
use super::load::Request;

/// Requests of the two runs.
const FEW: u64 = 500;
const MANY: u64 = 2_500;

/// A server that can be run under Valgrind.
pub struct Counted<'a> {
    /// Makes the command that runs the server on this port in the foreground.
    pub command: &'a dyn Fn(u16) -> Result<Command>,
    /// Where it listens.
    pub port: u16,
    /// What asks it to stop.
    pub stop: Signal,
}

/// What one request costs.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Instructions, without the kernel's.
    pub instructions: f64,
    /// Calls for memory.
    pub allocations: f64,
}

impl Counted<'_> {
    /// Returns the cost of one request; the requests are made in turn, over one connection.
    pub fn per_request(&self, bench: &Bench<'_>, folder: &Path, requests: &[Request]) -> Result<Cost> {
        let few = self.run(bench, folder, requests, FEW)?;
        let many = self.run(bench, folder, requests, MANY)?;
        ensure!(many.instructions > few.instructions, "{MANY} requests cost {many:?}, {FEW} cost {few:?}");
        let each = |many: u64, few: u64| many.saturating_sub(few) as f64 / (MANY - FEW) as f64;
        Ok(Cost {
            instructions: each(many.instructions, few.instructions),
            allocations: each(many.allocations, few.allocations),
        })
    }

    fn run(&self, bench: &Bench<'_>, folder: &Path, requests: &[Request], count: u64) -> Result<Counts> {
        let file = folder.join("callgrind.out");
        // Of an earlier run.
        let _ = fs::remove_file(&file);
        let mut command = under_valgrind(&(self.command)(self.port)?, &file);
        let mut server = bench.supervisor.spawn(&mut command, self.stop)?;
        wait_until("the server in Valgrind", || Ok(listens(self.port)))?;
        ask(self.port, requests, count)?;
        // It writes the file when it stops, which takes long in Valgrind.
        server.ask_to_stop();
        wait_until("the end of the server in Valgrind", || {
            // Valgrind delivers a signal between two calls of the kernel; who waits in one for an event must get one.
            let _ = TcpStream::connect(("127.0.0.1", self.port));
            Ok(server.has_ended()?.is_some())
        })?;
        let written = fs::read_to_string(&file).context("Valgrind wrote no counts")?;
        callgrind::read(&written).context("Valgrind's counts cannot be read")
    }
}

/// The same command, with its variables, in Valgrind.
fn under_valgrind(command: &Command, file: &Path) -> Command {
    let mut wrapped = Command::new("valgrind");
    let mut out = OsString::from("--callgrind-out-file=");
    out.push(file);
    wrapped.args(["--tool=callgrind", "--quiet"]).arg(out).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    wrapped.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    wrapped
}

/// Makes requests over one connection, one after the other.
fn ask(port: u16, requests: &[Request], count: u64) -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).context("the server does not listen")?);
    for request in requests.iter().cycle().take(usize::try_from(count)?) {
        let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("GET {} HTTP/1.1\r\nHost: edge\r\n{headers}\r\n", request.path);
        stream.get_mut().write_all(text.as_bytes())?;
        let length = answer_head(&mut stream)?;
        let read = std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())?;
        ensure!(read == length, "the answer broke off");
    }
    Ok(())
}

/// Reads the head of an answer and returns the length of the body.
fn answer_head(stream: &mut BufReader<TcpStream>) -> Result<u64> {
    let (mut length, mut line) = (0, String::new());
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 2"), "the server said: {line}");
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse()?,
            Some(_) => {}
            None => return Ok(length),
        }
    }
}
