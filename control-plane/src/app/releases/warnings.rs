//! This file's job is to find what is allowed in a release, but perhaps not meant, and to refuse it where the channel wants that.

use crate::error::{Error, Result};
use db::bundles::Bundle;
use db::channels::Channel;
use db::{DbConn, Scope};
use domain::ErrorKind;
use domain::target::{RuntimeVersion, Target};
use domain::warning::{BundlePolicy, Warning, hermes_mismatch};
use proto::v1::Reason;

/// Returns the warnings of a bundle for these binaries: its own, and that one of them cannot run its bytecode. Binaries of which the
/// version is not known are passed over.
///
/// # Errors
/// Those of the database.
pub fn warnings(conn: &mut DbConn, scope: &Scope, bundle: &Bundle, target: &Target) -> Result<Vec<Warning>> {
    let mut warnings = bundle.warnings.clone();
    if let Some(version) = bundle.hermes_version {
        let known = db::binaries::with_hermes_version(conn, scope, &bundle.app, bundle.platform)?;
        let wanted = known.into_iter().filter(|(binary, _)| {
            let runtime = binary.runtime_version.as_ref().and_then(|text| text.parse::<RuntimeVersion>().ok());
            target.accepts(binary.version.parse().ok().as_ref(), runtime.as_ref())
        });
        let names: Vec<(String, u32)> = wanted.map(|(binary, version)| (name(&binary), version)).collect();
        warnings.extend(hermes_mismatch(version, &names));
    }
    Ok(warnings)
}

fn name(binary: &db::binaries::Binary) -> String {
    if binary.build_number.is_empty() {
        binary.version.clone()
    } else {
        format!("{} ({})", binary.version, binary.build_number)
    }
}

/// Refuses a bundle with warnings when the channel does.
///
/// # Errors
/// Failed precondition that says the warnings.
pub fn admit(channel: &Channel, warnings: &[Warning]) -> Result<()> {
    match channel.bundle_policy {
        BundlePolicy::Warn => Ok(()),
        BundlePolicy::Refuse if warnings.is_empty() => Ok(()),
        BundlePolicy::Refuse => {
            let told: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
            let kinds: Vec<&str> = warnings.iter().map(|warning| warning.kind.as_str()).collect();
            let message = format!("channel {} takes no bundle with warnings: {}", channel.name, told.join("; "));
            Err(Error::refused(ErrorKind::FailedPrecondition, Reason::BundleRefused, message)
                .with("warnings", kinds.join(",")))
        }
    }
}
