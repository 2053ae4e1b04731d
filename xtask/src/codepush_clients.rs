//! This file's job is to test CodePush's own clients against a platform of their own.

use std::path::Path;

use anyhow::Result;

use crate::node_project::{NodeProject, npm};
use crate::places::Places;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

const PROJECT: NodeProject = NodeProject { name: "codepush-clients", folder: "tests/clients/codepush", inputs: &[] };

/// Lets every generation of the clients update from an edge.
pub fn test(places: &Places, supervisor: &Supervisor, corpus: &Path) -> Result<()> {
    let folder = PROJECT.ensure(places, supervisor)?;
    let platform = Platform::start(places, supervisor, |_| ())?;
    let mut phones = npm(&folder, "e2e");
    platform.tell(&mut phones);
    supervisor.run(phones.env("ALOFT_CORPUS", corpus))
}
