//! This file's job is to keep secrets of apps: stored sealed, never returned.

use crate::app::{lookup, record, signing_key};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef, OwnedPath};
use db::credentials::Credential;
use db::{CredentialKind, Tx};
use domain::ErrorKind;
use domain::id::CredentialId;
use proto::v1::{self, Reason};
use runtime::vault::{Sealed, Vault};
use zeroize::Zeroizing;

/// Fits any token, and a private key with four certificates.
const SECRET_MAX_BYTES: usize = 12 << 10;
/// An app has a few; nobody can look through more.
const CREDENTIALS_MAX: usize = 100;

/// A secret that was checked, of which nothing is printed.
pub struct NewSecret(Zeroizing<Vec<u8>>);

impl NewSecret {
    /// Checks a secret.
    ///
    /// # Errors
    /// Invalid argument that names `secret`.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let fits = !bytes.is_empty() && bytes.len() <= SECRET_MAX_BYTES;
        if fits {
            Ok(Self(Zeroizing::new(bytes.to_vec())))
        } else {
            Err(Error::field("secret", "must have 1 to 12288 bytes"))
        }
    }
}

/// A checked request.
pub struct NewCredential {
    app: AppRef,
    kind: CredentialKind,
    name: String,
    secret: NewSecret,
}

impl NewSecret {
    /// Checks what a credential of this kind and name must hold.
    fn check(&self, kind: CredentialKind, name: &str) -> Result<()> {
        match kind {
            CredentialKind::SigningKey => signing_key::check(&self.0, name),
            CredentialKind::StoreToken => Ok(()),
        }
    }
}

impl NewCredential {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::CreateCredentialRequest) -> Result<Self> {
        let new = Self {
            app: names::app("parent", &request.parent)?,
            kind: request.kind.parse().map_err(|_| Error::field("kind", "must be signing-key or store-token"))?,
            name: super::people::display_name("display_name", &request.display_name)?,
            secret: NewSecret::new(&request.secret)?,
        };
        new.secret.check(new.kind, &new.name)?;
        Ok(new)
    }
}

/// Stores a secret.
///
/// # Errors
/// Not found for an app that the caller does not see; already exists when the name is taken, or for a second signing key; resource
/// exhausted when there are as many as there may be.
pub fn create(tx: &mut Tx<'_>, change: &Change, vault: &Vault, new: &NewCredential) -> Result<Credential> {
    let scope = change.live_scope()?;
    let app = lookup::app(tx, scope, &new.app)?;
    if db::credentials::list(tx, scope, &app.id)?.len() >= CREDENTIALS_MAX {
        let message = format!("the app has {CREDENTIALS_MAX} credentials: delete some");
        let refusal = Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message);
        return Err(refusal.with("limit", CREDENTIALS_MAX));
    }
    let id = CredentialId::from_parts(change.now, runtime::random::bytes());
    let Sealed { master_key, bytes: sealed_secret } = vault.seal(id.as_str(), &new.secret.0)?;
    let row = Credential {
        id,
        app: app.id,
        kind: new.kind,
        name: new.name.clone(),
        sealed_secret,
        master_key,
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
        replaced_at: change.now,
    };
    db::credentials::insert(tx, scope, &row)?;
    let facts = [("kind", row.kind.as_str()), ("name", &row.name)];
    record::done(tx, change, "CreateCredential", names::of_credential(&row.app, &row.id), &facts)?;
    Ok(row)
}

/// Puts a new secret in the place of the old one.
///
/// # Errors
/// Not found, also for a credential of another app or organization; invalid argument when it cannot be what the credential is.
pub fn replace(
    tx: &mut Tx<'_>,
    change: &Change,
    vault: &Vault,
    (path, secret): (&OwnedPath<CredentialId>, &NewSecret),
) -> Result<Credential> {
    let scope = change.live_scope()?;
    let app = lookup::app(tx, scope, &path.app)?;
    let row = db::credentials::get(tx, scope, &app.id, &path.id)?;
    secret.check(row.kind, &row.name)?;
    let Sealed { master_key, bytes: sealed_secret } = vault.seal(row.id.as_str(), &secret.0)?;
    let row = Credential { sealed_secret, master_key, replaced_at: change.now, ..row };
    db::credentials::set_secret(tx, &row)?;
    record::done(tx, change, "ReplaceCredential", names::of_credential(&row.app, &row.id), &[("name", &row.name)])?;
    Ok(row)
}

/// Forgets a credential.
///
/// # Errors
/// Not found, also for a credential of another app or organization.
pub fn delete(tx: &mut Tx<'_>, change: &Change, path: &OwnedPath<CredentialId>) -> Result<()> {
    let scope = change.live_scope()?;
    let app = lookup::app(tx, scope, &path.app)?;
    db::credentials::delete(tx, scope, &app.id, &path.id)?;
    record::done(tx, change, "DeleteCredential", names::of_credential(&app.id, &path.id), &[])
}
