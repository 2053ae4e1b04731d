//! This file's job is to give the strings of a bundle that is compiled already the numbers that they have in a base.

use crate::error::Error;
use crate::hermesc::Base;
use crate::source::{self, Found, Map, run_blocking};
use domain::bundle::Engine;
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::path::Path;

/// What became of a bundle's strings.
#[derive(Debug, Serialize)]
pub struct Renumbered {
    /// Whose numbers they have, for people; absent when they kept their own.
    pub base: Option<String>,
    /// Why they kept their own.
    pub warning: Option<String>,
}

/// Puts a launch file in place whose strings have the base's numbers. The bundle stays as it is when there is no base, or the file does
/// not allow it.
///
/// # Errors
/// When the bundle is not bytecode, or a file cannot be read or written.
pub async fn renumber(found: Found, base: Option<Base>) -> Result<(Found, Renumbered), Error> {
    if found.detected.engine != Engine::Hermes {
        return Err(Error::Usage("the bundle is JavaScript: say --hermesc instead of --renumber-strings".to_owned()));
    }
    let Some(base) = base else {
        return Ok((found, Renumbered::kept("there is nothing yet that devices could have")));
    };
    run_blocking(move || {
        let launch = found.launch_location().ok_or_else(|| Error::missing("the launch file"))?;
        let Some(bytes) = delta::renumber_strings(&read(&base.file)?, &read(launch)?) else {
            let why = format!(
                "{} and this one are not bytecode of one known version, or have too little in common",
                base.what
            );
            return Ok((found, Renumbered::kept(&why)));
        };
        let folder = tempfile::tempdir().map_err(|error| Error::file(&std::env::temp_dir(), error))?;
        let file = folder.path().join(launch.file_name().unwrap_or_default());
        std::fs::write(&file, bytes).map_err(|error| Error::file(&file, error))?;
        let map: Vec<_> = found
            .files
            .iter()
            .filter(|file| Some(&file.input.path) == found.detected.source_map.as_ref())
            .cloned()
            .collect();
        let mut renumbered = found.with_launch(&file, folder)?;
        // No instruction moves, seen from the first one, from which maps count.
        source::add_map(&mut renumbered, &map, &Map::Beside)?;
        Ok((renumbered, Renumbered { base: Some(base.what), warning: None }))
    })
    .await
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::file(path, error))
}

impl Renumbered {
    fn kept(why: &str) -> Self {
        Self { base: None, warning: Some(format!("the strings kept their own numbers: {why}")) }
    }
}

impl Display for Renumbered {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match (&self.base, &self.warning) {
            (Some(base), _) => write!(f, "Strings have the numbers of {base}."),
            (None, warning) => write!(f, "warning: {}", warning.as_deref().unwrap_or_default()),
        }
    }
}
