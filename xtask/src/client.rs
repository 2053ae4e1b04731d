//! This file's job is to test the JavaScript client against a platform of its own.

use std::path::Path;

use anyhow::Result;

use crate::node_project::{NodeProject, npm};
use crate::places::Places;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

const PROJECT: NodeProject = NodeProject { name: "client-js", folder: "clients/js", inputs: &[] };

/// Builds the client, runs its unit tests, then phones against an edge.
pub fn test(places: &Places, supervisor: &Supervisor, corpus: &Path) -> Result<()> {
    let folder = PROJECT.ensure(places, supervisor)?;
    for script in ["typecheck", "unit"] {
        supervisor.run(&mut npm(&folder, script))?;
    }
    let platform = Platform::start(places, supervisor, |_| ())?;
    let mut phones = npm(&folder, "e2e");
    platform.tell(&mut phones);
    supervisor.run(phones.env("ALOFT_CORPUS", corpus))
}
