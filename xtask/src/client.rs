//! This file's job is to test clients in JavaScript against a platform of their own.

use std::path::Path;

use anyhow::Result;

use crate::node_project::{NodeProject, npm};
use crate::places::Places;
use crate::platform::Platform;
use crate::supervisor::Supervisor;

const PROJECT: NodeProject = NodeProject { name: "client-js", folder: "clients/js", inputs: &[] };
const EXPO: NodeProject = NodeProject { name: "client-expo", folder: "clients/expo", inputs: &[] };

/// Builds our client, runs its unit tests, then phones and the code of Expo's clients against an edge.
pub fn test(places: &Places, supervisor: &Supervisor, corpus: &Path) -> Result<()> {
    let folder = PROJECT.ensure(places, supervisor)?;
    let expo = EXPO.ensure(places, supervisor)?;
    for script in ["typecheck", "unit"] {
        supervisor.run(&mut npm(&folder, script))?;
    }
    let platform = Platform::start(places, supervisor, |_| ())?;
    for folder in [folder, expo] {
        let mut phones = npm(&folder, "e2e");
        platform.tell(&mut phones);
        supervisor.run(phones.env("ALOFT_CORPUS", corpus))?;
    }
    Ok(())
}
