//! This file's job is to freeze what Expo clients are told of a release, and to keep its owner's signature.
//!
//! The bytes are made once, in the transaction of the release. They are signed, so nobody writes them anew.

mod manifest;

use super::{View, view};
use crate::app::signing_key::{self, SIGNATURE_MAX_BYTES};
use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, ReleasePath};
use db::expo_updates::{self, ExpoUpdate};
use db::releases::{Release, ReleaseChanges};
use db::{DbConn, Scope, Tx};
use domain::expo::BODY_MAX_BYTES;
use domain::id::ReleaseId;
use domain::snapshot::ChannelKey;
use domain::target::Target;
use manifest::{Directive, Manifest, Publication};
use proto::v1;
use runtime::vault::Vault;
use serde::Serialize;

/// What apps call their key unless they say otherwise.
const KEY_ID_DEFAULT: &str = "main";

/// A checked request to offer a release to Expo clients.
#[derive(Debug, Clone)]
pub struct ExpoPublication(Publication);

impl ExpoPublication {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(wire: &v1::ExpoPublication, target: &Target) -> Result<Self> {
        match target {
            Target::RuntimeVersion(runtime) => Publication::new(wire, runtime.as_str()).map(Self),
            Target::BinaryRange(_) => Err(Error::field("target", "must be a runtime version for Expo clients")),
        }
    }
}

/// Freezes the manifest of a new release, and signs it when the app's key is kept here.
///
/// # Errors
/// Invalid argument when the assets are not those of the bundle; failed precondition when the key cannot be opened.
pub(super) fn freeze(
    tx: &mut Tx<'_>,
    (change, vault): (&Change, &Vault),
    (release, channel): (&Release, &ChannelKey),
    publication: &ExpoPublication,
) -> Result<()> {
    let scope = &change.caller.scope;
    let Some(bundle) = &release.bundle else { return Err(Error::field("expo", "must come with a bundle")) };
    let files = db::bundles::files(tx, scope, bundle)?;
    let committed_at_ms = expo_updates::next_commit(tx, scope, &release.app, change.now)?;
    let manifest = publication.0.manifest((&release.id, committed_at_ms), channel, &files)?;
    keep(tx, (scope, vault), release, committed_at_ms, &manifest)
}

/// Freezes what Expo clients are told of a release that brings the content of an earlier one, or takes them back to their binary's, when
/// the earlier one was for them; and signs it like [`freeze`].
///
/// # Errors
/// Failed precondition when the key cannot be opened.
pub(super) fn carry_over(
    tx: &mut Tx<'_>,
    (change, vault): (&Change, &Vault),
    from: &ReleaseId,
    (release, channel): (&Release, &ChannelKey),
) -> Result<()> {
    let scope = &change.caller.scope;
    let Some(earlier) = expo_updates::find(tx, scope, from)? else { return Ok(()) };
    let committed_at_ms = expo_updates::next_commit(tx, scope, &release.app, change.now)?;
    if release.bundle.is_none() {
        let directive = Directive::roll_back_to_embedded(committed_at_ms);
        return keep(tx, (scope, vault), release, committed_at_ms, &directive);
    }
    let Target::RuntimeVersion(runtime) = release.target()? else { return Ok(()) };
    let manifest = Manifest::read(&earlier.body)?;
    let manifest = manifest.renewed((&release.id, committed_at_ms), channel, runtime.as_str())?;
    keep(tx, (scope, vault), release, committed_at_ms, &manifest)
}

fn keep(
    tx: &mut Tx<'_>,
    (scope, vault): (&Scope, &Vault),
    release: &Release,
    committed_at_ms: u64,
    told: &impl Serialize,
) -> Result<()> {
    let body = serde_json::to_string(told).map_err(broken)?;
    if body.len() > BODY_MAX_BYTES {
        return Err(Error::field("expo", format!("must make a manifest of at most {BODY_MAX_BYTES} bytes")));
    }
    let environment = db::channels::get(tx, scope, &release.channel)?.environment;
    let signed = signing_key::sign(tx, scope, vault, (&release.app, environment), &body)?;
    let row = ExpoUpdate {
        release: release.id.clone(),
        app: release.app.clone(),
        committed_at_ms,
        body,
        signature: signed.signature,
        certificate_chain: signed.certificate_chain,
    };
    Ok(expo_updates::insert(tx, scope, &row)?)
}

fn broken(cause: serde_json::Error) -> Error {
    Error::Broken { what: "a manifest cannot be read or written", cause: cause.into() }
}

/// Returns what Expo clients are told of a release.
///
/// # Errors
/// Not found, also when the release is none for them.
pub fn find(conn: &mut DbConn, scope: &Scope, path: &ReleasePath) -> Result<ExpoUpdate> {
    let (_channel, release) = lookup::release(conn, scope, path)?;
    expo_updates::find(conn, scope, &release.id)?.ok_or_else(|| Error::not_found("expo update"))
}

/// A checked request to keep a signature.
#[derive(Debug, Clone)]
pub struct Signing {
    path: ReleasePath,
    header: String,
    certificate_chain: String,
    enable: bool,
}

impl Signing {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::SignExpoUpdateRequest) -> Result<Self> {
        let key_id = if request.key_id.is_empty() { KEY_ID_DEFAULT } else { &request.key_id };
        signing_key::check_key_id("key_id", key_id)?;
        if request.signature.is_empty() || request.signature.len() > SIGNATURE_MAX_BYTES {
            return Err(Error::field("signature", "must have 1 to 512 bytes"));
        }
        signing_key::check_chain("certificate_chain", &request.certificate_chain)?;
        Ok(Self {
            path: names::release("name", &request.name)?,
            header: signing_key::header(&request.signature, key_id),
            certificate_chain: request.certificate_chain.clone(),
            enable: !request.keep_disabled,
        })
    }
}

/// Keeps the signature and offers the release.
///
/// # Errors
/// Not found, also when the release is none for Expo clients.
pub fn sign(tx: &mut Tx<'_>, change: &Change, signing: &Signing) -> Result<View> {
    let scope = &change.caller.scope;
    let (_channel, release) = lookup::release(tx, scope, &signing.path)?;
    let told = expo_updates::find(tx, scope, &release.id)?.ok_or_else(|| Error::not_found("expo update"))?;
    let (signature, certificate_chain) = (signing.header.clone(), signing.certificate_chain.clone());
    expo_updates::set_signature(tx, scope, &ExpoUpdate { signature, certificate_chain, ..told }, change.now)?;
    let release = if signing.enable && !release.enabled {
        let enabled = ReleaseChanges { enabled: Some(true), ..ReleaseChanges::default() };
        db::releases::apply(tx, scope, &release.id, release.revision, &enabled, change.now)?
    } else {
        release
    };
    let resource = names::of_release(&release.app, &release.channel, &release.id);
    let enabled = release.enabled.to_string();
    record::done(tx, change, "SignExpoUpdate", resource, &[("enabled", enabled.as_str())])?;
    view(tx, scope, release)
}
