//! This file's job is to start child processes that never outlive this one.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a child may take to stop before it is killed: PostgreSQL's fast shutdown takes well under a second.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// How often a stopping child is looked at.
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy)]
struct Group {
    leader: Pid,
    stop_signal: Signal,
}

/// Owns every child process. On SIGINT, SIGTERM or SIGHUP it stops them all, so that the commands waiting for them
/// return and clean up.
#[derive(Debug, Clone)]
pub struct Supervisor {
    groups: Arc<Mutex<Vec<Group>>>,
    interrupted: Arc<AtomicBool>,
}

/// A child in a process group of its own; dropping it stops the whole group.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Group,
    supervisor: Supervisor,
}

impl Supervisor {
    /// Starts listening for signals.
    pub fn new() -> Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
        let supervisor = Self { groups: Arc::default(), interrupted: Arc::default() };
        let listener = supervisor.clone();
        thread::spawn(move || {
            for (round, _) in signals.forever().enumerate() {
                listener.interrupted.store(true, Ordering::SeqCst);
                for group in listener.lock().iter() {
                    let signal = if round == 0 { group.stop_signal } else { Signal::KILL };
                    // The group may be gone already, which is what was wanted.
                    let _ = kill_process_group(group.leader, signal);
                }
            }
        });
        Ok(supervisor)
    }

    /// Starts a child that is asked to stop by `stop_signal`.
    pub fn spawn(&self, command: &mut Command, stop_signal: Signal) -> Result<Running> {
        self.refuse_when_interrupted()?;
        // The lock is held over the start, so that a signal finds either no child or a registered one.
        let mut groups = self.lock();
        let child = command.process_group(0).spawn().with_context(|| format!("cannot start {}", shown(command)))?;
        let group = Group { leader: Pid::from_child(&child), stop_signal };
        groups.push(group);
        Ok(Running { child, group, supervisor: self.clone() })
    }

    /// Runs a command to its end; an error names the command.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        let status = self.spawn(command, Signal::TERM)?.wait()?;
        self.refuse_when_interrupted()?;
        if !status.success() {
            bail!("{} ended with {status}", shown(command));
        }
        Ok(())
    }

    /// An error once the user has asked to stop.
    pub fn refuse_when_interrupted(&self) -> Result<()> {
        if self.interrupted.load(Ordering::SeqCst) {
            bail!("interrupted");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the child has ended.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot look at a child process")
    }

    /// Asks the child to stop, without waiting for it.
    pub fn ask_to_stop(&self) {
        // The group may be gone already, which is what was wanted.
        let _ = kill_process_group(self.group.leader, self.group.stop_signal);
    }

    /// Waits for the child to end.
    pub fn wait(mut self) -> Result<ExitStatus> {
        self.child.wait().context("cannot wait for a child process")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut signal = self.group.stop_signal;
        let _ = kill_process_group(self.group.leader, signal);
        let started = Instant::now();
        // The group can outlive its leader: wait until nobody is left in it.
        while matches!(self.child.try_wait(), Ok(None)) || test_kill_process_group(self.group.leader).is_ok() {
            if started.elapsed() > STOP_DEADLINE && signal != Signal::KILL {
                signal = Signal::KILL;
                let _ = kill_process_group(self.group.leader, signal);
            }
            if started.elapsed() > STOP_DEADLINE * 2 {
                break;
            }
            thread::sleep(POLL);
        }
        self.supervisor.lock().retain(|group| group.leader != self.group.leader);
    }
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600"]);
        command
    }

    #[test]
    fn a_dropped_child_takes_its_whole_group_along() {
        let supervisor = Supervisor::new().unwrap();
        let running = supervisor.spawn(&mut sleeper(), Signal::TERM).unwrap();
        let leader = running.group.leader;
        assert!(test_kill_process_group(leader).is_ok());
        drop(running);
        assert!(test_kill_process_group(leader).is_err());
        assert!(supervisor.lock().is_empty());
    }

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let supervisor = Supervisor::new().unwrap();
        let error = supervisor.run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("sh -c exit 3"), "{error}");
    }

    #[test]
    fn nothing_starts_after_an_interruption() {
        let supervisor = Supervisor::new().unwrap();
        supervisor.interrupted.store(true, Ordering::SeqCst);
        assert!(supervisor.run(&mut Command::new("true")).is_err());
    }
}
