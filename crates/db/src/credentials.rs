//! This file's job is to keep the secrets of apps, sealed.

use crate::apps::apps_of;
use crate::column::{all, page, row};
use crate::dialect::db;
use crate::schema::{app, credential};
use crate::{CredentialKind, DbConn, Error, PAGE_MAX, Result, Scope, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AppId, CredentialId, OrganizationId};

row! {
    /// A secret of an app.
    pub struct Credential as CredentialRow in credential {
        /// Its id.
        pub id: CredentialId,
        /// The app.
        pub app: AppId,
        /// What it is.
        pub kind: CredentialKind,
        /// Its name for people; unique in the app.
        pub name: String,
        /// The secret, sealed.
        pub sealed_secret: Vec<u8>,
        /// The id of the master key that it is sealed under.
        pub master_key: String,
        /// Who stored it.
        pub created_by: String,
        /// When.
        pub created_at: Timestamp,
        /// When the secret was last replaced.
        pub replaced_at: Timestamp,
    }
}

/// Adds a credential of an app in the scope; `AlreadyExists` when the name is taken, or when the app has a signing key and this is another.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Credential) -> Result<()> {
    crate::apps::get(tx, scope, &row.app)?;
    db!(tx, |c| diesel::insert_into(credential::table).values(CredentialRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("credential"))?;
    Ok(())
}

/// Returns a credential of an app in the scope.
pub fn get(conn: &mut DbConn, scope: &Scope, app: &AppId, id: &CredentialId) -> Result<Credential> {
    let found = db!(conn, |c| {
        credential::table
            .find(id.as_str())
            .filter(credential::app.eq(app.as_str()))
            .filter(credential::app.eq_any(apps_of!(scope)))
            .select(CredentialRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("credential"))?.try_into()
}

/// Returns the key that signs for an app in the scope.
pub fn find_signing_key(conn: &mut DbConn, scope: &Scope, app: &AppId) -> Result<Option<Credential>> {
    let found = db!(conn, |c| {
        credential::table
            .filter(credential::app.eq(app.as_str()))
            .filter(credential::app.eq_any(apps_of!(scope)))
            .filter(credential::kind.eq(CredentialKind::SigningKey.as_str()))
            .select(CredentialRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Lists the credentials of an app, oldest first; an app has few.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId) -> Result<Vec<Credential>> {
    crate::apps::get(conn, scope, app)?;
    let rows: Vec<CredentialRow> = db!(conn, |c| {
        credential::table
            .filter(credential::app.eq(app.as_str()))
            .order(credential::id)
            .limit(page(PAGE_MAX))
            .select(CredentialRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Puts a secret in the place of another one: a new one, or the same sealed anew. Not scoped: the caller has got the row.
pub fn set_secret(tx: &mut Tx<'_>, row: &Credential) -> Result<()> {
    db!(tx, |c| {
        diesel::update(credential::table.find(row.id.as_str()))
            .set((
                credential::sealed_secret.eq(&row.sealed_secret),
                credential::master_key.eq(&row.master_key),
                credential::replaced_at.eq(row.replaced_at.as_us()),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Forgets a credential of an app in the scope.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, app: &AppId, id: &CredentialId) -> Result<()> {
    get(tx, scope, app, id)?;
    db!(tx, |c| diesel::delete(credential::table.find(id.as_str())).execute(c))?;
    Ok(())
}

/// Lists credentials that are sealed under another master key than this one, each with its organization. Not scoped: the operator asks.
pub fn list_sealed_otherwise(
    conn: &mut DbConn,
    master_key: &str,
    limit: u32,
) -> Result<Vec<(Credential, OrganizationId)>> {
    let rows: Vec<(CredentialRow, String)> = db!(conn, |c| {
        credential::table
            .inner_join(app::table)
            .filter(credential::master_key.ne(master_key))
            .order(credential::id)
            .limit(page(limit))
            .select((CredentialRow::as_select(), app::organization))
            .load(c)
    })?;
    rows.into_iter().map(|(row, organization)| Ok((row.try_into()?, organization.parse()?))).collect()
}
