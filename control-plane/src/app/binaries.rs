//! This file's job is to name what can be done with binaries.

mod create;
mod delete;
mod update;

pub use create::{NewBinary, create};
pub use delete::delete;
pub use update::{Update, update};

use crate::error::{Error, Result};
use domain::Sha256;
use domain::expo::UpdateId;
use domain::target::RuntimeVersion;

/// Reads a runtime version that may be empty.
fn runtime_version(field: &'static str, text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse::<RuntimeVersion>().map(|version| Some(version.to_string())).map_err(Error::in_field(field))
}

fn embedded_update(field: &'static str, text: &str) -> Result<Option<UpdateId>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(Error::in_field(field))
}

fn embedded_bundle(field: &'static str, bytes: &[u8]) -> Result<Option<Sha256>> {
    Ok(proto::convert::optional_sha256_from_wire(bytes, field)?)
}

fn hermes_version(version: u32) -> Option<u32> {
    (version > 0).then_some(version)
}
