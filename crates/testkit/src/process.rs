//! This file's job is to run one of our binaries and to end it, softly or as a crash would.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{PipeReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A loaded machine starts a debug build in a few seconds.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often a process is looked at; it needs the processor more than the test does.
const POLL: Duration = Duration::from_millis(5);

/// A binary with its settings; it can be started, stopped, killed and started again.
#[derive(Debug)]
pub struct Process {
    binary: &'static str,
    arguments: Vec<String>,
    settings: BTreeMap<String, String>,
    log: PathBuf,
    child: Option<Child>,
    output: Output,
}

/// Where a process writes to.
#[derive(Debug)]
enum Output {
    /// The file of its log.
    Kept,
    /// A pipe whose other end is open and never read; none before it is started.
    Unread(Option<PipeReader>),
}

impl Process {
    /// Describes a process. Its output goes to `{folder}/{binary}.log`.
    #[must_use]
    pub fn new(binary: &'static str, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self {
            binary,
            arguments: Vec::new(),
            settings,
            log: folder.join(format!("{binary}.log")),
            child: None,
            output: Output::Kept,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Changes a setting, or takes it back with an empty value; it holds from the next start on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.remove(key);
        if !value.is_empty() {
            self.settings.insert(key.to_owned(), value.to_owned());
        }
    }

    /// From the next start on, what it writes goes into a pipe that nobody reads: once the pipe is full, a write takes for ever.
    pub fn leave_output_unread(&mut self) {
        self.output = Output::Unread(None);
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it is not running, or goes on running; the log is shown.
    pub fn wait_for_end(&mut self) {
        let until = Instant::now() + START_DEADLINE;
        let child = self.child.as_mut().expect("the process runs");
        while matches!(child.try_wait(), Ok(None)) {
            assert!(Instant::now() < until, "{} does not end", self.binary);
            std::thread::sleep(POLL);
        }
        self.child = None;
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the binary is missing.
    pub fn start(&mut self) {
        let mut command = Command::new(binary_path(self.binary));
        command.args(&self.arguments).envs(&self.settings).stdin(Stdio::null());
        match &mut self.output {
            Output::Kept => {
                let log = File::options().create(true).append(true).open(&self.log).expect("the log can be written");
                command.stdout(log.try_clone().expect("the log can be shared")).stderr(log);
            }
            Output::Unread(reader) => {
                let (unread, writer) = std::io::pipe().expect("a pipe");
                command.stdout(writer.try_clone().expect("the pipe can be shared")).stderr(writer);
                *reader = Some(unread);
            }
        }
        self.child = Some(command.spawn().expect("the binary starts"));
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM) and returns how it ended and how long that took.
    ///
    /// # Panics
    /// When it is not running or cannot be waited for.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("the process runs");
        let begun = Instant::now();
        let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
        (child.wait().expect("the process ends"), begun.elapsed())
    }

    /// Sends it a signal, for instance `STOP` or `CONT`.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("the process runs");
        let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Returns all that it has written.
    #[must_use]
    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = File::open(&self.log) {
            // A log that cannot be read is shown as empty; it is only for messages.
            let _ = file.read_to_string(&mut text);
        }
        text
    }

    /// Waits until somebody listens on the port.
    ///
    /// # Panics
    /// When it ends first or nobody listens in time; the log is shown.
    pub fn wait_for_port(&mut self, port: u16) {
        let until = Instant::now() + START_DEADLINE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            assert!(!ended && Instant::now() < until, "{} does not listen on {port}:\n{}", self.binary, self.log());
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(4_000);
            let tail = log.char_indices().map(|(at, _)| at).find(|&at| at >= tail).unwrap_or(0);
            println!("--- end of the log of {}:\n{}", self.binary, &log[tail..]);
        }
    }
}

/// Returns a port that was free a moment ago. Processes that are started again need one that stays the same.
///
/// # Panics
/// When the machine has no free port.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("the port").port()
}

/// Returns where a binary of this workspace was built: beside the folder of the test programs.
///
/// # Panics
/// When it was not built: `cargo build --workspace --bins` does that, as the test command does.
#[must_use]
pub fn binary_path(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the test program has a path");
    let folder = own.parent().and_then(Path::parent).expect("test programs stand in a folder of the target folder");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: run the tests through `./x test`", path.display());
    path
}
