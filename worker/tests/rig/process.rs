//! This file's job is to run the real worker, so that a test can kill it.

use super::{PATIENCE, Rig};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};
use testkit::s3::TestS3;
use testkit::wait_until_async;

/// The real program, killed when dropped.
pub struct Process(Child);

impl Process {
    pub fn start(rig: &Rig) -> Self {
        Self::start_with(rig, "")
    }

    /// Starts it with points where it crashes and guards that are left out.
    pub fn start_with(rig: &Rig, failpoints: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aloft-worker"));
        command
            .env("ALOFT_DATABASE__URL", &rig.database_url)
            .env("ALOFT_STORE__URL", &rig.store_config.url)
            .env("ALOFT_WORKER__SPOOL_FOLDER", rig.folder.path().join("spool"))
            .env("ALOFT_WORKER__MAIL_FOLDER", rig.mail_folder())
            .env("ALOFT_WORKER__LEASE_MS", "600")
            .env("ALOFT_WORKER__HEARTBEAT_MS", "100")
            .env("ALOFT_WORKER__RESCUE_MS", "100")
            .env("ALOFT_WORKER__POLL_MS", "50")
            .env("ALOFT_FAILPOINTS", failpoints)
            .stderr(Stdio::null());
        if rig.s3.is_some() {
            command.env("ALOFT_STORE__ACCESS_KEY", TestS3::ACCESS_KEY);
            command.env("ALOFT_STORE__SECRET_KEY", TestS3::SECRET_KEY);
        }
        Self(command.spawn().expect("the worker starts"))
    }

    pub fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Stops it where it is; it does not notice.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    pub async fn ended(&mut self) {
        wait_until_async(PATIENCE, || {
            let ended = self.is_over();
            async move { ended }
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
