//! This file's job is to make a native build known.

use super::{embedded_bundle, embedded_update, hermes_version, runtime_version};
use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::Tx;
use db::binaries::Binary;
use domain::expo::UpdateId;
use domain::id::BinaryId;
use domain::target::BinaryVersion;
use domain::{Platform, Sha256};
use proto::v1;

/// Stores allow far less.
const BUILD_NUMBER_MAX_BYTES: usize = 64;

/// A checked request.
#[derive(Debug, Clone)]
pub struct NewBinary {
    app: AppRef,
    platform: Platform,
    version: String,
    build_number: String,
    runtime_version: Option<String>,
    embedded: Option<Sha256>,
    hermes_version: Option<u32>,
    update: Option<UpdateId>,
}

impl NewBinary {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(parent: &str, binary: &v1::Binary) -> Result<Self> {
        binary.version.parse::<BinaryVersion>().map_err(Error::in_field("binary.version"))?;
        let build = &binary.build_number;
        if build.len() > BUILD_NUMBER_MAX_BYTES || !build.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::field("binary.build_number", "must be at most 64 visible ASCII characters"));
        }
        Ok(Self {
            app: names::app("parent", parent)?,
            platform: proto::convert::platform_from_wire(binary.platform, "binary.platform")?,
            version: binary.version.clone(),
            build_number: build.clone(),
            runtime_version: runtime_version("binary.runtime_version", &binary.runtime_version)?,
            embedded: embedded_bundle("binary.embedded_bundle", &binary.embedded_bundle)?,
            hermes_version: hermes_version(binary.hermes_version),
            update: embedded_update("binary.embedded_update_id", &binary.embedded_update_id)?,
        })
    }
}

/// Makes the binary known.
///
/// # Errors
/// Already exists when the app has one with this platform, version and build number.
pub fn create(tx: &mut Tx<'_>, change: &Change, new: &NewBinary) -> Result<Binary> {
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, &new.app)?;
    let binary = Binary {
        id: BinaryId::from_parts(change.now, runtime::random::bytes()),
        app: app.id,
        platform: new.platform,
        version: new.version.clone(),
        build_number: new.build_number.clone(),
        runtime_version: new.runtime_version.clone(),
        embedded_bundle_hash: new.embedded,
        hermes_version: new.hermes_version,
        embedded_update: new.update,
        revision: 1,
        created_at: change.now,
        updated_at: change.now,
    };
    db::binaries::insert(tx, scope, &binary)?;
    let facts = [("platform", binary.platform.as_str()), ("version", binary.version.as_str())];
    record::done(tx, change, "CreateBinary", names::of_binary(&binary.app, &binary.id), &facts)?;
    Ok(binary)
}
