//! This file's job is to define the command line of the one-process shape.

use std::net::IpAddr;
use std::path::PathBuf;

const EDGE_PORT: u16 = 8071;
const ADMIN_PORT: u16 = 8072;

/// Runs all of Aloft in one process: control plane, worker and edge proxy, on SQLite and the local disk.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "aloft-standalone", version, max_term_width = 110)]
pub struct Options {
    /// Everything that is kept lives here.
    #[arg(long, value_name = "FOLDER", default_value = ".aloft")]
    pub data_dir: PathBuf,
    /// A configuration file; its keys stand in the defaults of each role.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database: sqlite:PATH or postgres://…; a file in the data folder when not given.
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The object store: a folder or s3://bucket?endpoint=…; a folder in the data folder when not given.
    #[arg(long, value_name = "URL")]
    pub store_url: Option<String>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// The control plane's port, for `aloft` and browsers; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8070)]
    pub control_plane_port: u16,
    /// The edge's port, for devices; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = EDGE_PORT)]
    pub edge_port: u16,
    /// The edge's port for operators, on 127.0.0.1 only; 8072 when not given, or a free one when --edge-port is given.
    #[arg(long, value_name = "PORT")]
    pub admin_port: Option<u16>,
    /// Log what happens, not only what goes wrong.
    #[arg(long)]
    pub verbose: bool,
    /// Publish the sample app, be a device, ramp a rollout and roll back, showing what each step costs.
    #[arg(long)]
    pub demo: bool,
    /// Stop after the demo; the exit code says whether every step went well.
    #[arg(long, requires = "demo")]
    pub exit: bool,
    /// The folder with the sample app's bundles, v1 to v3, that the demo publishes.
    #[arg(long, env = "ALOFT_CORPUS", value_name = "FOLDER")]
    pub corpus: Option<PathBuf>,
}

impl Options {
    /// Returns the edge's port for operators. A second process on the machine has its own edge port and gets its own of these.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        let usual = if self.edge_port == EDGE_PORT { ADMIN_PORT } else { 0 };
        self.admin_port.unwrap_or(usual)
    }
}
