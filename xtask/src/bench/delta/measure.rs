//! This file's job is to run a program and to say what CPU and memory it took.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use crate::bench::process_cost::peak_resident_bytes;
use crate::supervisor::Supervisor;

/// How often memory is looked at: programs that run for less than this have used little.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What a program took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub cpu_us: u64,
    pub peak_bytes: u64,
}

impl Cost {
    pub const fn cpu_ms(&self) -> u64 {
        (self.cpu_us + 500) / 1_000
    }
}

/// Runs a program to its end. It has ended, but is not yet forgotten by the kernel, when its CPU time is read.
pub fn run(supervisor: &Supervisor, command: &mut Command) -> Result<Cost> {
    let running = supervisor.spawn(command.stdin(Stdio::null()), Signal::TERM)?;
    let id = running.id();
    let pid = Pid::from_raw(i32::try_from(id)?).context("a process has an id")?;
    let mut peak_bytes = 0;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), look)?.is_none() {
        // A process that is just ending has no memory any more.
        peak_bytes = peak_bytes.max(peak_resident_bytes(id).unwrap_or(0));
        thread::sleep(LOOK_EVERY);
    }
    let cpu_us = cpu_ns(id)? / 1_000;
    let status = running.wait()?;
    ensure!(status.success(), "{} ended with {status}", command.get_program().display());
    Ok(Cost { cpu_us, peak_bytes })
}

/// The time on a CPU of a process with one thread, which is what all programs here are: the first number of `schedstat`.
fn cpu_ns(id: u32) -> Result<u64> {
    let path = format!("/proc/{id}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let first = text.split_whitespace().next().with_context(|| format!("{path} is empty"))?;
    first.parse().with_context(|| format!("unexpected {path}"))
}

/// The run with the middle CPU time; peaks are the highest seen.
pub fn median(costs: &mut [Cost]) -> Cost {
    costs.sort_by_key(|cost| cost.cpu_us);
    let peak_bytes = costs.iter().map(|cost| cost.peak_bytes).max().unwrap_or(0);
    Cost { peak_bytes, ..costs.get(costs.len() / 2).copied().unwrap_or_default() }
}
