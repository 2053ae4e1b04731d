//! This file's job is to test clients in JavaScript, ours and those of others, against a platform of their own.

use std::path::Path;

use anyhow::Result;

use crate::cluster::free_port;
use crate::node_project::{NodeProject, npm};
use crate::places::Places;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

const OURS: NodeProject = NodeProject { name: "client-js", folder: "clients/js", inputs: &[] };
/// The code of real clients, of every generation.
const OTHERS: [NodeProject; 2] = [
    NodeProject { name: "client-codepush", folder: "tests/clients/codepush", inputs: &[] },
    NodeProject { name: "client-expo", folder: "tests/clients/expo", inputs: &[] },
];

/// Builds our client, runs its unit tests, then lets phones of all kinds update from an edge.
pub fn test(places: &Places, supervisor: &Supervisor, corpus: &Path) -> Result<()> {
    let ours = OURS.ensure(places, supervisor)?;
    for script in ["typecheck", "unit"] {
        supervisor.run(&mut npm(&ours, script))?;
    }
    let mut folders = vec![ours];
    for project in OTHERS {
        folders.push(project.ensure(places, supervisor)?);
    }
    // Programs may reach the platform through its edge, too.
    let api = format!("127.0.0.1:{}", free_port()?);
    let platform = Platform::start(places, supervisor, |command| {
        command.env("ALOFT_EDGE__API_LISTEN", &api);
    })?;
    for folder in folders {
        let mut phones = npm(&folder, "e2e");
        platform.tell(&mut phones);
        supervisor.run(phones.env("ALOFT_EDGE_API", format!("http://{api}")).env("ALOFT_CORPUS", corpus))?;
    }
    Ok(())
}
