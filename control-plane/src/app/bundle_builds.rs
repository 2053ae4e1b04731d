//! This file's job is to read what a publisher says about how a bundle was compiled.

use crate::error::{Error, Result};
use db::bundle_builds::BundleBuild;
use domain::id::BundleId;
use domain::{Sha256, Timestamp};
use proto::v1;

/// Names and versions are shorter, and so are flags.
const TEXT_MAX_BYTES: usize = 200;
/// More than anybody tells a compiler.
const FLAGS_MAX: usize = 50;

/// A checked statement.
#[derive(Debug, Clone)]
pub struct Build {
    compiler: String,
    flags: Vec<String>,
    base_sha256: Option<Sha256>,
}

impl Build {
    /// Checks a statement.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(wire: &v1::BundleBuild) -> Result<Self> {
        if wire.compiler.is_empty() || wire.compiler.len() > TEXT_MAX_BYTES {
            return Err(Error::field("build.compiler", format!("must be 1 to {TEXT_MAX_BYTES} bytes")));
        }
        if wire.flags.len() > FLAGS_MAX || wire.flags.iter().any(|flag| flag.len() > TEXT_MAX_BYTES) {
            let rule = format!("must be at most {FLAGS_MAX}, of at most {TEXT_MAX_BYTES} bytes");
            return Err(Error::field("build.flags", rule));
        }
        Ok(Self {
            compiler: wire.compiler.clone(),
            flags: wire.flags.clone(),
            base_sha256: proto::convert::optional_sha256_from_wire(&wire.base_sha256, "build.base_sha256")?,
        })
    }

    /// Returns the row for a bundle.
    #[must_use]
    pub fn row(&self, bundle: BundleId, now: Timestamp) -> BundleBuild {
        let Self { compiler, flags, base_sha256 } = self.clone();
        BundleBuild { bundle, compiler, flags, base_sha256, created_at: now }
    }
}
