//! This file's job is to build the dashboard and to test it in a browser.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::node_project::{NodeProject, npm};
use crate::places::Places;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

/// Tells the control plane where the dashboard's files are.
pub const FOLDER_VARIABLE: &str = "ALOFT_CONTROL_PLANE__DASHBOARD_FOLDER";
const PROJECT: NodeProject =
    NodeProject { name: "dashboard", folder: "dashboard", inputs: &["proto/aloft", "proto/buf.yaml"] };

/// A built dashboard with its sources and tools.
#[derive(Debug)]
pub struct Built {
    folder: PathBuf,
}

impl Built {
    /// The files that a browser gets.
    pub fn files(&self) -> PathBuf {
        self.folder.join("dist")
    }
}

/// Builds the dashboard when needed.
pub fn ensure(places: &Places, supervisor: &Supervisor) -> Result<Built> {
    Ok(Built { folder: PROJECT.ensure(places, supervisor)? })
}

/// Runs the unit tests, then the walk through the dashboard in Chromium against a platform of its own.
pub fn test(places: &Places, supervisor: &Supervisor, corpus: &Path) -> Result<()> {
    let built = ensure(places, supervisor)?;
    supervisor.run(&mut npm(&built.folder, "unit"))?;
    let platform = Platform::start(places, supervisor, |command| {
        command.env(FOLDER_VARIABLE, built.files());
    })?;
    let mut walk = npm(&built.folder, "e2e");
    platform.tell(&mut walk);
    supervisor.run(walk.env("ALOFT_CORPUS", corpus))
}
