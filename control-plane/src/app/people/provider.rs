//! This file's job is to let people in whom the OpenID Connect provider knows.

use super::sign_in::{self, Entry};
use crate::app::record;
use crate::auth::oidc::Subject;
use crate::auth::session::{self, Client};
use crate::context::Context;
use crate::error::{Error, Result};
use db::Tx;
use db::accounts::Account;
use db::identities::Identity;
use domain::id::UserId;
use domain::{EmailAddress, ErrorKind, Timestamp};
use proto::v1::Reason;

/// What a person is called whose name the provider does not say.
const NAMELESS: &str = "A person";

/// Lets a person in, or asks for the second step. At the first time the account with the verified address is tied to the person; there is
/// a new one when accounts are open to anybody, or somebody has invited that address.
///
/// # Errors
/// Unauthenticated when the provider has not verified the person's address; failed precondition when nobody has invited it.
pub async fn enter(context: &Context, subject: Subject, client: Client) -> Result<Entry> {
    let open = context.door.is_open();
    let found = context.change(move |tx, now| find_or_make(tx, &subject, open, now));
    sign_in::enter(context, found.await?, client, "SignInWithProvider").await
}

fn find_or_make(tx: &mut Tx<'_>, subject: &Subject, open: bool, now: Timestamp) -> Result<Account> {
    if let Some(known) = db::identities::find(tx, &subject.issuer, &subject.subject)? {
        return Ok(db::accounts::get(tx, &known.account)?);
    }
    let email = subject.email.as_deref().and_then(|email| email.parse::<EmailAddress>().ok()).ok_or_else(unverified)?;
    let account = match db::accounts::find_by_email(tx, &email)? {
        Some(account) => account,
        None if open || db::invitations::is_open_for(tx, &email, now)? => make(tx, subject, email, now)?,
        None => {
            let message = "accounts are made by invitation only";
            return Err(Error::refused(ErrorKind::FailedPrecondition, Reason::SignUpClosed, message));
        }
    };
    db::accounts::set_verified(tx, &account.id, now)?;
    let row = Identity {
        issuer: subject.issuer.clone(),
        subject: subject.subject.clone(),
        account: account.id.clone(),
        created_at: now,
    };
    db::identities::insert(tx, &row)?;
    let actor = session::actor(&account.id, "provider");
    record::person_did(tx, &account.id, &actor, now, "TieIdentity", &[("issuer", &subject.issuer)])?;
    Ok(account)
}

fn make(tx: &mut Tx<'_>, subject: &Subject, email: EmailAddress, now: Timestamp) -> Result<Account> {
    let name = super::display_name("name", subject.name.as_deref().unwrap_or(NAMELESS));
    let account = Account {
        id: UserId::from_parts(now, runtime::random::bytes()),
        email,
        name: name.unwrap_or_else(|_| NAMELESS.to_owned()),
        password_hash: None,
        email_verified_at: Some(now),
        created_at: now,
    };
    db::accounts::insert(tx, &account)?;
    Ok(account)
}

fn unverified() -> Error {
    let message = "the provider has not verified the person's e-mail address";
    Error::refused(ErrorKind::Unauthenticated, Reason::SignInFailed, message)
}
