//! This file's job is to run an edge as a process that can be killed.

use crate::client::Client;
use crate::control_plane::TOKEN;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::fault::Guard;
use testkit::process::{Process, free_port};

pub struct EdgeProcess {
    pub process: Process,
    pub client: Client,
    pub admin: Client,
    port: u16,
}

impl EdgeProcess {
    /// Describes an edge on the folder, which gets blobs from the store at the URL.
    pub fn new(folder: &Path, store_url: &str, control_plane: &str, guard: (&str, Guard)) -> Self {
        let (port, admin) = (free_port(), free_port());
        let address = |port: u16| format!("127.0.0.1:{port}");
        let data = folder.join("edge").display().to_string();
        let mut process = Process::new(
            "aloft-edge",
            folder,
            &[
                ("ALOFT_STORE__URL", store_url),
                ("ALOFT_STORE__ACCESS_KEY", "access-key"),
                ("ALOFT_STORE__SECRET_KEY", "secret-key"),
                ("ALOFT_EDGE__LISTEN", &address(port)),
                ("ALOFT_EDGE__ADMIN_LISTEN", &address(admin)),
                ("ALOFT_EDGE__DATA_FOLDER", &data),
                ("ALOFT_EDGE__CONTROL_PLANE", control_plane),
                ("ALOFT_EDGE__TOKEN", TOKEN),
                ("ALOFT_EDGE__CONNECTIONS_PER_ADDRESS_MAX", "100000"),
                ("ALOFT_EDGE__ADDRESS_REQUESTS_PER_S", "0"),
                ("ALOFT_EDGE__REGISTRATIONS_PER_S", "0"),
                ("ALOFT_EDGE__DISK_RESERVE_BYTES", "0"),
                ("ALOFT_LOG__FILTER", "error"),
            ],
        );
        if let (name, Guard::Broken) = guard {
            process.set("ALOFT_FAILPOINTS", &format!("{name}=break"));
        }
        let [client, admin] = [port, admin].map(|port| Client::new(SocketAddr::from(([127, 0, 0, 1], port))));
        Self { process, client, admin, port }
    }

    /// Starts it, and returns how long it took until it answered.
    pub fn start(&mut self) -> Duration {
        let begun = Instant::now();
        self.process.start();
        self.process.wait_for_port(self.port);
        begun.elapsed()
    }
}
