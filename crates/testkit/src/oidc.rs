//! This file's job is to run a real OpenID Connect provider (npm's oidc-provider) beside a test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// Names the folder whose `node_modules` has oidc-provider; `./x test` makes one.
const VARIABLE: &str = "ALOFT_TEST_OIDC";
const SCRIPT: &str = include_str!("../oidc/provider.mjs");

/// A provider. Ends when it is dropped.
pub struct TestProvider {
    child: Child,
    /// What it calls itself.
    pub issuer: String,
}

impl TestProvider {
    /// What it calls the server that it knows.
    pub const CLIENT_ID: &'static str = "aloft";
    /// That server's secret. Needs encoding on its way.
    pub const CLIENT_SECRET: &'static str = "client secret: +/";

    /// Starts a provider that sends browsers back to this address only.
    ///
    /// # Panics
    /// When it does not start: no test can go on without it.
    #[must_use]
    pub fn start(redirect_uri: &str) -> Self {
        let folder = std::env::var(VARIABLE)
            .unwrap_or_else(|_| panic!("{VARIABLE} is not set: run the tests through `./x test`"));
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", SCRIPT, redirect_uri])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("node does not start ({error})"));
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output is ours"));
        output.read_line(&mut line).expect("its output can be read");
        // It goes on to say things, and would end if nobody took them.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        let issuer = line.trim().to_owned();
        assert!(issuer.starts_with("http://"), "the provider did not start in {folder}");
        Self { child, issuer }
    }
}

impl Drop for TestProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
