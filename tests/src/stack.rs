//! This file's job is to start the platform as operators do, in both shapes, on free ports and in a temporary folder.

use crate::cli::Cli;
use crate::process::{Process, free_port};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use testkit::door::Door;
use testkit::postgres::TestDatabase;
use testkit::s3::TestS3;
use testkit::wait_until;

/// Long enough for the configuration's rule; protects nothing of worth.
pub const SECRET: &str = "a-secret-for-tests-only-a-secret-for-tests-only";
/// Another one: who has it is an edge.
pub const EDGE_SECRET: &str = "an-edge-secret-for-tests-only-an-edge-secret";
/// The variable that sets the operator's token.
const OPERATOR_TOKEN: &str = "ALOFT_CONTROL_PLANE__OPERATOR_TOKEN";

/// The parts behind the processes.
#[derive(Default)]
struct Behind {
    database: Option<TestDatabase>,
    store: Option<TestS3>,
}

/// A running platform.
pub struct Stack {
    /// What all processes share, in the order in which they are dropped.
    pub control_plane: Option<Process>,
    /// The worker; none in the one-process shape.
    pub worker: Option<Process>,
    /// A second control plane; none before [`Stack::put_api_port_before_control_planes`].
    pub replica: Option<Process>,
    /// The edge; none in the one-process shape.
    pub edge: Option<Process>,
    /// The whole platform; none in the shape of separate processes.
    pub standalone: Option<Process>,
    /// The command line, logged in as the first owner.
    pub cli: Cli,
    /// The command line of whoever runs the installation.
    pub operator: Cli,
    control_plane_port: u16,
    edge_port: u16,
    behind: Behind,
    folder: TempDir,
}

impl Stack {
    /// The key that opens the object store of separate processes.
    pub const STORE_SECRET: &'static str = TestS3::SECRET_KEY;

    /// Starts one process on SQLite and a folder.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn in_one_process() -> Self {
        Self::one_process(Behind::default())
    }

    fn one_process(behind: Behind) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (control_plane_port, edge_port) = (free_port(), free_port());
        let data = folder.path().join("data");
        let store_keys: Vec<_> =
            behind.store_settings().into_iter().filter(|_| behind.store.is_some()).skip(1).collect();
        let mut standalone = Process::new("aloft-standalone", folder.path(), &settings(&store_keys)).with_arguments(&[
            "--data-dir",
            &data.display().to_string(),
            "--control-plane-port",
            &control_plane_port.to_string(),
            "--edge-port",
            &edge_port.to_string(),
        ]);
        if let Some(certificate) = behind.store.as_ref().and_then(TestS3::certificate) {
            standalone.set("SSL_CERT_FILE", &certificate.display().to_string());
        }
        if let (Some(database), Some(store)) = (&behind.database, &behind.store) {
            standalone = standalone.with_arguments(&["--database-url", database.url(), "--store-url", &store.url()]);
        }
        standalone.set(OPERATOR_TOKEN, SECRET);
        standalone.start();
        standalone.wait_for_port(edge_port);
        let cli = Cli::new(server(control_plane_port), first_key(&standalone));
        let operator = Cli::new(server(control_plane_port), SECRET.to_owned());
        Self {
            control_plane: None,
            replica: None,
            worker: None,
            edge: None,
            standalone: Some(standalone),
            cli,
            operator,
            control_plane_port,
            edge_port,
            behind,
            folder,
        }
    }

    /// Starts one process on PostgreSQL and S3 over TLS, configured by flags and the environment.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn in_one_process_on_servers() -> Self {
        let behind = Behind { database: Some(TestDatabase::create()), store: Some(TestS3::start_with_tls()) };
        Self::one_process(behind)
    }

    /// Starts control plane, worker and edge as processes of their own, on PostgreSQL and S3.
    ///
    /// # Panics
    /// When one of them does not start.
    #[must_use]
    pub fn in_separate_processes() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let behind = Behind { database: Some(TestDatabase::create()), store: Some(TestS3::start()) };
        let (control_plane_port, edge_port) = (free_port(), free_port());
        let mut control_plane = control_plane(&behind, folder.path(), control_plane_port);
        control_plane.start();
        control_plane.wait_for_port(control_plane_port);
        let cli = Cli::new(server(control_plane_port), first_key(&control_plane));
        let operator = Cli::new(server(control_plane_port), SECRET.to_owned());
        let mut worker = Process::new("aloft-worker", folder.path(), &settings(&behind.common()));
        worker.set("ALOFT_WORKER__SPOOL_FOLDER", &folder.path().join("spool").display().to_string());
        worker.set("ALOFT_WORKER__MAIL_FOLDER", &folder.path().join("mail").display().to_string());
        worker.start();
        let mut edge = edge(&behind, folder.path(), control_plane_port, edge_port);
        edge.start();
        edge.wait_for_port(edge_port);
        Self {
            control_plane: Some(control_plane),
            replica: None,
            worker: Some(worker),
            edge: Some(edge),
            standalone: None,
            cli,
            operator,
            control_plane_port,
            edge_port,
            behind,
            folder,
        }
    }

    /// Returns where devices connect, for instance `http://127.0.0.1:41234`.
    #[must_use]
    pub fn edge_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.edge_port)
    }

    /// Returns where programs call, for instance `http://127.0.0.1:41233`.
    #[must_use]
    pub fn server_url(&self) -> String {
        server(self.control_plane_port)
    }

    /// Says whether the edge has the blob, named by its SHA-256 in hexadecimal, whole on its disk: only then it survives a kill.
    ///
    /// # Panics
    /// When the name is too short.
    #[must_use]
    pub fn edge_keeps(&self, blob: &str) -> bool {
        self.folder.path().join("edge/blobs").join(&blob[..2]).join(blob).is_file()
    }

    /// Starts the control plane again after it was stopped or killed, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start, or in the one-process shape.
    pub fn restart_control_plane(&mut self) {
        let control_plane = self.control_plane.as_mut().expect("a control plane of its own");
        control_plane.start();
        control_plane.wait_for_port(self.control_plane_port);
    }

    /// Starts the edge again after it was stopped or killed, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start, or in the one-process shape.
    pub fn restart_edge(&mut self) {
        let edge = self.edge.as_mut().expect("an edge of its own");
        edge.start();
        edge.wait_for_port(self.edge_port);
    }

    /// Restarts the control plane so that it reaches the database through a door, with little patience for calls that hang.
    ///
    /// # Panics
    /// In the one-process shape, or when it does not start.
    #[must_use]
    pub fn put_door_before_database(&mut self) -> Door {
        let mut door = None;
        let url = self.behind.database.as_ref().expect("a database server").behind(|server| {
            let before = Door::before(server, None);
            let address = before.address();
            door = Some(before);
            address
        });
        let control_plane = self.control_plane.as_mut().expect("a control plane of its own");
        control_plane.kill();
        control_plane.set("ALOFT_DATABASE__URL", &url);
        control_plane.set("ALOFT_CONTROL_PLANE__CALL_TIMEOUT_MS", "3000");
        self.restart_control_plane();
        door.expect("a door was put there")
    }

    /// Starts a second control plane, and restarts the edge so that both are reached through it. Returns its address.
    ///
    /// # Panics
    /// In the one-process shape, or when one of them does not start.
    pub fn put_api_port_before_control_planes(&mut self) -> String {
        let (replica_port, api_port) = (free_port(), free_port());
        let mut replica = control_plane(&self.behind, self.folder.path(), replica_port);
        replica.start();
        replica.wait_for_port(replica_port);
        self.replica = Some(replica);
        let edge = self.edge.as_mut().expect("an edge of its own");
        let control_planes = [self.control_plane_port, replica_port].map(server).join(",");
        edge.set("ALOFT_EDGE__API_LISTEN", &format!("127.0.0.1:{api_port}"));
        edge.set("ALOFT_EDGE__API_CONTROL_PLANES", &control_planes);
        edge.kill();
        edge.start();
        edge.wait_for_port(api_port);
        server(api_port)
    }

    /// Ends every connection to the database, as its restart would.
    ///
    /// # Panics
    /// In the one-process shape.
    pub fn kill_database_connections(&self) {
        self.behind.database.as_ref().expect("a database server").kill_connections();
    }

    /// Returns the database's URL, as configurations have it.
    #[must_use]
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite:{}", self.folder().join("data/aloft.db").display());
        self.behind.database.as_ref().map_or_else(file, |database| database.url().to_owned())
    }

    /// Returns the number that a query gives.
    ///
    /// # Panics
    /// In the one-process shape, or when the query fails.
    #[must_use]
    pub fn count(&self, sql: &str) -> i64 {
        self.behind.database.as_ref().expect("a database server").count(sql)
    }

    /// Stops the object store's server; its files stay.
    ///
    /// # Panics
    /// In the one-process shape.
    pub fn stop_store(&mut self) {
        self.behind.store.as_mut().expect("a store server").stop();
    }

    /// The folder of everything on disk, gone when the stack is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Behind {
    /// Settings of every process that uses database and store.
    fn common(&self) -> Vec<(&'static str, String)> {
        let database = self.database.as_ref().map(|database| database.url().to_owned()).unwrap_or_default();
        let mut settings = self.store_settings();
        settings.push(("ALOFT_DATABASE__URL", database));
        settings
    }

    fn store_settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ALOFT_STORE__URL", self.store.as_ref().map(TestS3::url).unwrap_or_default()),
            ("ALOFT_STORE__ACCESS_KEY", TestS3::ACCESS_KEY.to_owned()),
            ("ALOFT_STORE__SECRET_KEY", TestS3::SECRET_KEY.to_owned()),
        ]
    }
}

fn control_plane(behind: &Behind, folder: &Path, port: u16) -> Process {
    let mut all = behind.common();
    all.push(("ALOFT_CONTROL_PLANE__LISTEN", format!("127.0.0.1:{port}")));
    all.push(("ALOFT_CONTROL_PLANE__PEPPER", SECRET.to_owned()));
    all.push(("ALOFT_CONTROL_PLANE__EDGE_TOKEN", EDGE_SECRET.to_owned()));
    all.push((OPERATOR_TOKEN, SECRET.to_owned()));
    Process::new("aloft-control-plane", folder, &settings(&all))
}

fn edge(behind: &Behind, folder: &Path, control_plane_port: u16, port: u16) -> Process {
    let mut all = behind.store_settings();
    all.push(("ALOFT_EDGE__LISTEN", format!("127.0.0.1:{port}")));
    all.push(("ALOFT_EDGE__ADMIN_LISTEN", "127.0.0.1:0".to_owned()));
    all.push(("ALOFT_EDGE__DATA_FOLDER", folder.join("edge").display().to_string()));
    all.push(("ALOFT_EDGE__CONTROL_PLANE", server(control_plane_port)));
    all.push(("ALOFT_EDGE__TOKEN", EDGE_SECRET.to_owned()));
    // A test asks from one address as often as it can.
    all.push(("ALOFT_EDGE__ADDRESS_REQUESTS_PER_S", "0".to_owned()));
    Process::new("aloft-edge", folder, &settings(&all))
}

fn settings<'a>(all: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    all.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

fn server(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Returns the first key, which is printed once, on the first start.
///
/// # Panics
/// When it is not printed.
#[must_use]
pub fn first_key(process: &Process) -> String {
    let find = || {
        let log = process.log();
        let at = log.find("cp_live_")?;
        let key: String = log[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        (key.len() == "cp_live_".len() + 8 + 1 + 36).then_some(key)
    };
    wait_until(Duration::from_secs(60), || find().is_some());
    find().expect("the key was there a moment ago")
}
