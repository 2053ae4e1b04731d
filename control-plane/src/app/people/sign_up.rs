//! This file's job is to make accounts. An account begins with the link of a mail, so that nobody can take another's address.

use super::{display_name, email, link_invalid, mails};
use crate::app::people::sign_in::{self, NewSession, Start};
use crate::app::{members, record};
use crate::auth::password::NewPassword;
use crate::auth::session::{self, Client};
use crate::config;
use crate::context::Context;
use crate::error::{Error, Result};
use db::accounts::Account;
use db::mails::Mail;
use db::{DbConn, MailKind};
use domain::id::UserId;
use domain::{ErrorKind, Sha256, Timestamp};
use proto::v1::Reason;
use std::net::IpAddr;

/// What completes a sign-up.
pub struct SignUpForm<'a> {
    /// From the mail's link.
    pub token: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
}

/// Sends a mail whose link makes an account, or one that says that there is one.
///
/// # Errors
/// Failed precondition when accounts are made by invitation only; resource exhausted after too many tries.
pub async fn sign_up(context: &Context, address: &str, peer: Option<IpAddr>) -> Result<()> {
    let address = email("email", address)?;
    if context.door.sign_up != config::SignUp::Open {
        let message = "accounts are made by invitation only";
        return Err(Error::refused(ErrorKind::FailedPrecondition, Reason::SignUpClosed, message));
    }
    context.door.try_mail(MailKind::SignUp, peer, context.clock.now())?;
    let queued = context.change(move |tx, now| {
        let account = db::accounts::find_by_email(tx, &address)?;
        let kind = if account.is_some() { MailKind::AccountExists } else { MailKind::SignUp };
        mails::queue(tx, kind, &address, account.as_ref().map(|account| &account.id), "", now)
    });
    queued.await.map(drop)
}

/// Makes the account of a mail's link and signs its owner in.
///
/// # Errors
/// Failed precondition when the link does not work; invalid argument that names the field.
pub async fn complete(context: &Context, form: SignUpForm<'_>, client: Client) -> Result<NewSession> {
    let name = display_name("display_name", form.name)?;
    let password = NewPassword::new("password", form.password)?;
    let token_hash = Sha256::of(form.token.as_bytes());
    // A wrong link must not cost a hash.
    let now = context.clock.now();
    context.read(move |conn| find(conn, &token_hash, now)).await?;
    let password_hash = context.passwords.hash(password).await?;
    let made = context.change(move |tx, now| {
        let mail = find(tx, &token_hash, now)?;
        let account = Account {
            id: UserId::from_parts(now, runtime::random::bytes()),
            email: mail.address.clone(),
            name: name.clone(),
            password_hash: Some(password_hash.clone()),
            email_verified_at: Some(now),
            created_at: now,
        };
        db::accounts::insert(tx, &account)?;
        match mail.kind {
            MailKind::Invitation => {
                members::accept_mail(tx, &account, &session::actor(&account.id, "mail"), &mail, now)?;
            }
            MailKind::SignUp | MailKind::AccountExists | MailKind::ResetPassword | MailKind::SecurityNotice => {
                db::mails::set_used(tx, &mail.id, now)?;
            }
        }
        let session = sign_in::begin(tx, account, Start::BROWSER, &client, now)?;
        let actor = session::actor(&session.account.id, session.row.id.as_str());
        record::person_did(tx, &session.account.id, &actor, now, "CompleteSignUp", &[])?;
        Ok(session)
    });
    made.await
}

/// Finds the mail that lets its reader make an account: one that was asked for, or an invitation.
fn find(conn: &mut DbConn, token_hash: &Sha256, now: Timestamp) -> Result<Mail> {
    for kind in [MailKind::SignUp, MailKind::Invitation] {
        if let Some(mail) = db::mails::find_by_token(conn, kind, token_hash, now)? {
            return Ok(mail);
        }
    }
    Err(link_invalid())
}
