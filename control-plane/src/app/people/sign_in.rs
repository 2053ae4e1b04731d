//! This file's job is to sign people in with their passwords, and to begin sessions.

use super::email;
use super::second_step::{self, Proof};
use crate::app::record;
use crate::auth::session::{self, Client};
use crate::context::Context;
use crate::error::{Error, Result};
use db::accounts::Account;
use db::members::Member;
use db::organizations::Organization;
use db::sessions::Session;
use db::{SessionKind, Tx};
use domain::id::OrganizationId;
use domain::{ErrorKind, Timestamp};
use proto::v1::Reason;
use std::net::IpAddr;

/// What a right password leads to.
pub enum Entry {
    /// A session.
    Session(Box<NewSession>),
    /// The second step, which this token carries on.
    SecondStep(String),
}

/// What kind of session begins, and what it may touch.
#[derive(Debug, Clone)]
pub struct Start {
    /// What it is for.
    pub kind: SessionKind,
    /// The only organization that it may touch; all of the person's when none.
    pub organization: Option<OrganizationId>,
}

impl Start {
    /// A browser's.
    pub const BROWSER: Self = Self { kind: SessionKind::Browser, organization: None };
}

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What the person gets.
    pub token: String,
    /// The session.
    pub row: Session,
    /// Whose it is.
    pub account: Account,
    /// Where the person belongs.
    pub places: Vec<(Organization, Member)>,
}

/// Signs a person in, or asks for the second step.
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
) -> Result<Entry> {
    let address = email("email", address)?;
    context.door.try_secret(&address, peer, context.clock.now())?;
    let wanted = address.clone();
    let account = context.read(move |conn| Ok(db::accounts::find_by_email(conn, &wanted)?)).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let matches = context.passwords.matches(stored, password).await?;
    let account = account.filter(|_| matches).ok_or_else(failed)?;
    let entry = enter(context, account, client, "SignIn").await?;
    context.door.entered(&address, peer);
    Ok(entry)
}

/// Lets somebody in who has taken the first step, unless there is a second one.
///
/// # Errors
/// Those of the database.
pub async fn enter(context: &Context, account: Account, client: Client, action: &'static str) -> Result<Entry> {
    let steps = context.second_steps.clone();
    let begun = context.change(move |tx, now| {
        let factor = db::second_factors::find(tx, &account.id)?;
        if factor.is_some_and(|factor| factor.confirmed_at.is_some()) {
            return Ok(Entry::SecondStep(steps.token(&account, now)));
        }
        let session = begin(tx, account.clone(), Start::BROWSER, &client, now)?;
        note(tx, &session, action, &[("address", &client.address)], now)?;
        Ok(Entry::Session(Box::new(session)))
    });
    begun.await
}

/// Takes the second step of a sign-in.
///
/// # Errors
/// Unauthenticated when the code is wrong or the first step was too long ago; resource exhausted after too many tries.
pub async fn complete_sign_in(context: &Context, token: &str, code: &str, client: Client) -> Result<NewSession> {
    let claim = context.second_steps.read(token).ok_or_else(second_step::refused)?;
    let wanted = claim.account.clone();
    let account = match context.read(move |conn| Ok(db::accounts::get(conn, &wanted)?)).await {
        Err(Error::Database(db::Error::NotFound { .. })) => return Err(second_step::refused()),
        account => account?,
    };
    let now = context.clock.now();
    if !context.second_steps.is_genuine(&claim, &account, now) {
        return Err(second_step::refused());
    }
    // Only now: nobody locks a person out without the password.
    context.door.try_code(&account.id, now)?;
    let (own, code) = (context.clone(), code.to_owned());
    let begun = context.change(move |tx, now| {
        let proof = second_step::pass(tx, &own, &account, &code, now)?;
        let session = begin(tx, account.clone(), Start::BROWSER, &client, now)?;
        let how = if proof == Proof::RecoveryCode { "recovery-code" } else { "app" };
        note(tx, &session, "CompleteSignIn", &[("address", &client.address), ("second_step", how)], now)?;
        Ok(session)
    });
    let session = begun.await?;
    context.door.passed(&session.account.id);
    Ok(session)
}

fn note(tx: &mut Tx<'_>, session: &NewSession, action: &str, facts: &[(&str, &str)], now: Timestamp) -> Result<()> {
    let actor = session::actor(&session.account.id, session.row.id.as_str());
    record::person_did(tx, &session.account.id, &actor, now, action, facts)
}

/// Begins a session in the caller's transaction.
///
/// # Errors
/// Those of the database.
pub fn begin(tx: &mut Tx<'_>, account: Account, start: Start, client: &Client, now: Timestamp) -> Result<NewSession> {
    let mut issued = session::issue(&account.id, start.kind, client, now);
    issued.row.organization = start.organization;
    db::sessions::insert(tx, &issued.row)?;
    let mut places = db::members::list_of_account(tx, &account.id)?;
    if let Some(only) = &issued.row.organization {
        places.retain(|(organization, _)| organization.id == *only);
    }
    Ok(NewSession { token: issued.token, row: issued.row, account, places })
}

fn failed() -> Error {
    let message = "the address and the password do not belong together";
    Error::refused(ErrorKind::Unauthenticated, Reason::SignInFailed, message)
}
