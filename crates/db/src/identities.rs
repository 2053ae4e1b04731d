//! This file's job is to tie people's accounts to who they are at other providers.

use crate::column::row;
use crate::dialect::db;
use crate::schema::identity;
use crate::{DbConn, Error, Result, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::UserId;

row! {
    /// A person at a provider.
    pub struct Identity as IdentityRow in identity {
        /// The provider.
        pub issuer: String,
        /// The person's id there.
        pub subject: String,
        /// The person's account here.
        pub account: UserId,
        /// When the two were tied.
        pub created_at: Timestamp,
    }
}

/// Adds an identity; `AlreadyExists` when it is tied to an account.
pub fn insert(tx: &mut Tx<'_>, row: &Identity) -> Result<()> {
    db!(tx, |c| diesel::insert_into(identity::table).values(IdentityRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("identity"))?;
    Ok(())
}

/// Returns the identity with this id at the provider. Not scoped: whoever signs in belongs to nothing yet.
pub fn find(conn: &mut DbConn, issuer: &str, subject: &str) -> Result<Option<Identity>> {
    let found =
        db!(conn, |c| identity::table.find((issuer, subject)).select(IdentityRow::as_select()).first(c).optional())?;
    found.map(TryInto::try_into).transpose()
}
