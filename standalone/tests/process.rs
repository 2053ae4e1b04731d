//! This file's job is to check how the one-process shape starts and stops.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its processes must stop")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// What operators are promised.
const STOP_WITHIN: Duration = Duration::from_secs(5);

struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aloft-standalone"))
            .args(["--control-plane-port", "0", "--edge-port", "0", "--data-dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Reads lines up to the one with the text, and returns them all.
    fn read_until(&mut self, text: &str) -> String {
        let mut all = String::new();
        while !all.contains(text) {
            let read = self.output.read_line(&mut all).unwrap();
            assert!(read > 0, "the process ended before it said {text:?}:\n{all}");
        }
        all
    }

    fn interrupt(&mut self) -> Duration {
        let begun = Instant::now();
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(self.child.wait().unwrap().success(), "the process did not stop cleanly");
        begun.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only when a test failed; else it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_starts_on_free_ports_shows_the_key_once_and_stops_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Process::start(folder.path());
    let text = first.read_until("Ctrl-C");
    assert!(text.contains("http://127.0.0.1:"), "{text}");
    let key = std::fs::read_to_string(folder.path().join("first-key")).unwrap();
    assert!(text.contains(key.trim()) && key.starts_with("cp_"), "{text}");
    let took = first.interrupt();
    assert!(took < STOP_WITHIN, "{took:?}");

    let mut second = Process::start(folder.path());
    let text = second.read_until("Ctrl-C");
    assert!(!text.contains("cp_"), "{text}");
    let took = second.interrupt();
    assert!(took < STOP_WITHIN, "{took:?}");
}

#[test]
fn a_wrong_configuration_is_reported_at_once_and_completely() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aloft-standalone"))
        .args(["--database-url", "mysql://x", "--data-dir"])
        .arg(folder.path())
        .env("ALOFT_EDGE__NONSENSE", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("database.url") && text.contains("NONSENSE"), "{text}");
}
