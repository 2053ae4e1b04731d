//! This file's job is to run Debian's nginx as the peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::field::{free_port, listens, wait_until};
use super::process_cost::cpu_time;
use crate::supervisor::{Running, Supervisor};

/// A running nginx with one worker.
pub struct Nginx {
    master: Running,
    program: PathBuf,
    configuration: PathBuf,
    /// Where it listens.
    pub port: u16,
}

impl Nginx {
    /// Starts nginx on one core with the given server block's content.
    pub fn start(supervisor: &Supervisor, folder: &Path, core: usize, locations: &str) -> Result<Self> {
        let port = free_port()?;
        let folder = folder.join(format!("nginx-{port}"));
        fs::create_dir_all(&folder)?;
        let configuration = folder.join("nginx.conf");
        fs::write(&configuration, configured(&folder, port, locations))?;
        let program = find_program()?;
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(&program).arg("-c").arg(&configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let master = supervisor.spawn(&mut command, Signal::QUIT)?;
        wait_until("nginx", || Ok(listens(port)))?;
        Ok(Self { master, program, configuration, port })
    }

    /// The command that runs it alone, in one process, on any port that it is given.
    pub fn alone(folder: &Path, port: u16, locations: &str) -> Result<Command> {
        let folder = folder.join(format!("nginx-{port}"));
        fs::create_dir_all(&folder)?;
        let configuration = folder.join("nginx.conf");
        fs::write(&configuration, format!("master_process off;\n{}", configured(&folder, port, locations)))?;
        let mut command = Command::new(find_program()?);
        command.arg("-c").arg(&configuration);
        Ok(command)
    }

    /// The process id of the master.
    pub fn id(&self) -> u32 {
        self.master.id()
    }

    /// CPU time of the worker.
    pub fn cpu_time(&self) -> Result<Duration> {
        let master = self.master.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).context("nginx is gone")?;
        children.split_whitespace().try_fold(Duration::ZERO, |sum, id| Ok(sum + cpu_time(id.parse()?)?))
    }

    /// Replaces the configuration and makes nginx read it, as an operator does who publishes with nginx alone.
    pub fn reload(&self, locations: &str) -> Result<()> {
        let folder = self.configuration.parent().context("the configuration stands in a folder")?;
        fs::write(&self.configuration, configured(folder, self.port, locations))?;
        let status = Command::new(&self.program).arg("-c").arg(&self.configuration).args(["-s", "reload"]).status()?;
        anyhow::ensure!(status.success(), "nginx does not reload");
        Ok(())
    }
}

fn find_program() -> Result<PathBuf> {
    ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .context("nginx is missing: run ./x bench, which installs it")
}

fn configured(folder: &Path, port: u16, locations: &str) -> String {
    let folder = folder.display();
    format!(
        "worker_processes 1;\ndaemon off;\nuser root;\npid {folder}/pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 100000000;\n  client_body_temp_path {folder}/body;\n  \
         client_max_body_size 0;\n  proxy_temp_path {folder}/proxy;\n  fastcgi_temp_path {folder}/fastcgi;\n  \
         uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n  tcp_nodelay on;\n  \
         server {{\n    listen 127.0.0.1:{port};\n{locations}\n  }}\n}}\n"
    )
}
