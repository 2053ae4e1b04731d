//! This file's job is to run a real SMTP server (aiosmtpd) beside a test, and to show the mails that it took.

use crate::wait_until;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Names a Python that has aiosmtpd; `./x test` makes one.
const VARIABLE: &str = "ALOFT_TEST_PYTHON";
const SCRIPT: &str = include_str!("smtp_server.py");
/// A loaded machine delivers within a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// An SMTP server. Ends when it is dropped.
pub struct TestSmtp {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl TestSmtp {
    /// The user that must log in, when the server asks.
    pub const USER: &'static str = "aloft";
    /// The user's password.
    pub const PASSWORD: &'static str = "mail password";

    /// Starts a server that takes mail from anybody.
    ///
    /// # Panics
    /// When it does not start: no test can go on without it.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server that refuses the first mails with a passing error.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn refusing_first(count: u32) -> Self {
        Self::with(&["--refuse-first", &count.to_string()])
    }

    /// Starts a server that takes mail only from [`TestSmtp::USER`].
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn asking_for_a_password() -> Self {
        Self::with(&["--user", Self::USER, "--password", Self::PASSWORD])
    }

    fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let python = std::env::var(VARIABLE).unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(&python)
            .args(["-c", SCRIPT])
            .arg(folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python} does not start ({error}): run the tests through `./x test`"));
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is ours");
        BufReader::new(output).read_line(&mut line).expect("its output can be read");
        let port = line.trim().parse().unwrap_or_else(|_| {
            panic!("{python} has no aiosmtpd: run the tests through `./x test`, or set {VARIABLE} to one that has")
        });
        Self { child, port, folder }
    }

    /// Returns the server's address, for instance `smtp://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Returns the server's address with the user's name and password.
    #[must_use]
    pub fn url_with_password(&self, password: &str) -> String {
        let password = password.replace(' ', "%20");
        format!("smtp://{}:{password}@127.0.0.1:{}", Self::USER, self.port)
    }

    /// Returns the mails that it took, oldest first, as they came over the wire.
    #[must_use]
    pub fn mails(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the server's folder");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).expect("a mail is text")).collect()
    }

    /// Waits until it has taken so many mails, and returns them.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        wait_until(PATIENCE, || self.mails().len() >= count);
        self.mails()
    }
}

impl Drop for TestSmtp {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    #[test]
    fn the_server_speaks_smtp_and_ends_with_its_value() {
        let server = TestSmtp::start();
        let port = server.port;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220");
        stream.write_all(b"QUIT\r\n").unwrap();
        assert!(server.mails().is_empty());
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
