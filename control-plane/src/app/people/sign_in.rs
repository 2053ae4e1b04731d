//! This file's job is to sign people in with their passwords, and to begin sessions.

use super::email;
use crate::app::record;
use crate::auth::session::{self, Client};
use crate::context::Context;
use crate::error::{Error, Result};
use db::accounts::Account;
use db::members::Member;
use db::organizations::Organization;
use db::sessions::Session;
use db::{SessionKind, Tx};
use domain::{ErrorKind, Timestamp};
use proto::v1::Reason;
use std::net::IpAddr;

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What the browser gets.
    pub token: String,
    /// The session.
    pub row: Session,
    /// Whose it is.
    pub account: Account,
    /// Where the person belongs.
    pub places: Vec<(Organization, Member)>,
}

/// Signs a person in.
///
/// # Errors
/// Unauthenticated when address and password do not belong together, whether or not there is such an account; resource exhausted
/// after too many tries.
pub async fn sign_in(
    context: &Context,
    address: &str,
    password: &str,
    client: Client,
    peer: Option<IpAddr>,
) -> Result<NewSession> {
    let address = email("email", address)?;
    context.door.try_secret(&address, peer, context.clock.now())?;
    let wanted = address.clone();
    let account = context.read(move |conn| Ok(db::accounts::find_by_email(conn, &wanted)?)).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let matches = context.passwords.matches(stored, password).await?;
    let account = account.filter(|_| matches).ok_or_else(failed)?;
    let begun = context.change(move |tx, now| {
        let session = begin(tx, account.clone(), &client, now)?;
        let actor = session::actor(&session.account.id, session.row.id.as_str());
        record::person_did(tx, &session.account.id, &actor, now, "SignIn", &[("address", &client.address)])?;
        Ok(session)
    });
    let session = begun.await?;
    context.door.entered(&address, peer);
    Ok(session)
}

/// Begins a browser's session in the caller's transaction.
///
/// # Errors
/// Those of the database.
pub fn begin(tx: &mut Tx<'_>, account: Account, client: &Client, now: Timestamp) -> Result<NewSession> {
    let issued = session::issue(&account.id, SessionKind::Browser, client, now);
    db::sessions::insert(tx, &issued.row)?;
    let places = db::members::list_of_account(tx, &account.id)?;
    Ok(NewSession { token: issued.token, row: issued.row, account, places })
}

fn failed() -> Error {
    let message = "the address and the password do not belong together";
    Error::refused(ErrorKind::Unauthenticated, Reason::SignInFailed, message)
}
