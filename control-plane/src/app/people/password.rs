//! This file's job is to replace passwords, with the old one or with the link of a mail.

use super::{email, link_invalid, mails};
use crate::app::record;
use crate::auth::password::NewPassword;
use crate::auth::session::{self, SignedIn};
use crate::context::Context;
use crate::error::{Error, Result};
use db::accounts::Account;
use db::{MailKind, Tx};
use domain::{EmailAddress, Sha256, Timestamp};
use std::net::IpAddr;

const CHANGED: &str = "The password was changed.";

/// Sends a mail whose link sets a new password, if there is such an account.
///
/// # Errors
/// Resource exhausted after too many tries.
pub async fn request_reset(context: &Context, address: &str, peer: Option<IpAddr>) -> Result<()> {
    let address = email("email", address)?;
    context.door.try_mail(MailKind::ResetPassword, peer, context.clock.now())?;
    context.change(move |tx, now| queue_reset(tx, &address, now)).await
}

fn queue_reset(tx: &mut Tx<'_>, address: &EmailAddress, now: Timestamp) -> Result<()> {
    if let Some(account) = db::accounts::find_by_email(tx, address)? {
        mails::queue(tx, MailKind::ResetPassword, address, Some(&account.id), "", now)?;
    }
    Ok(())
}

/// Sends the first owner a mail whose link sets the first password.
///
/// # Errors
/// Those of the database.
pub fn invite_first_owner(tx: &mut Tx<'_>, owner: &Account, now: Timestamp) -> Result<()> {
    mails::queue(tx, MailKind::ResetPassword, &owner.email, Some(&owner.id), "", now).map(drop)
}

/// Sets the password of the account that a mail's link is for, and ends all of its sessions.
///
/// # Errors
/// Failed precondition when the link does not work; invalid argument that names the field.
pub async fn reset(context: &Context, token: &str, password: &str) -> Result<()> {
    let password = NewPassword::new("password", password)?;
    let (token_hash, now) = (Sha256::of(token.as_bytes()), context.clock.now());
    let find =
        move |conn: &mut db::DbConn, now| db::mails::find_by_token(conn, MailKind::ResetPassword, &token_hash, now);
    // A wrong link must not cost a hash.
    context.read(move |conn| Ok(find(conn, now)?)).await?.ok_or_else(link_invalid)?;
    let password_hash = context.passwords.hash(password).await?;
    let changed = context.change(move |tx, now| {
        let account = find(tx, now)?.and_then(|mail| mail.account).ok_or_else(link_invalid)?;
        let account = db::accounts::get(tx, &account)?;
        db::mails::set_all_used(tx, &account.id, MailKind::ResetPassword, now)?;
        db::accounts::set_password(tx, &account.id, &password_hash)?;
        db::accounts::set_verified(tx, &account.id, now)?;
        db::sessions::delete_others(tx, &account.id, None)?;
        mails::queue(tx, MailKind::SecurityNotice, &account.email, Some(&account.id), CHANGED, now)?;
        record::person_did(tx, &account.id, &session::actor(&account.id, "mail"), now, "ResetPassword", &[])
    });
    changed.await
}

/// Replaces the person's password and ends all other sessions.
///
/// # Errors
/// Invalid argument that names the field; resource exhausted after too many tries.
pub async fn change_password(
    context: &Context,
    person: SignedIn,
    current: &str,
    new: &str,
    peer: Option<IpAddr>,
) -> Result<()> {
    let new = NewPassword::new("new_password", new)?;
    context.door.try_secret(&person.account.email, peer, context.clock.now())?;
    if !context.passwords.matches(person.account.password_hash.clone(), current).await? {
        return Err(Error::field("current_password", "is not the current password"));
    }
    context.door.entered(&person.account.email, peer);
    let password_hash = context.passwords.hash(new).await?;
    let changed = context.change(move |tx, now| {
        let account = &person.account;
        db::accounts::set_password(tx, &account.id, &password_hash)?;
        db::sessions::delete_others(tx, &account.id, Some(&person.session.id))?;
        mails::queue(tx, MailKind::SecurityNotice, &account.email, Some(&account.id), CHANGED, now)?;
        record::person_did(tx, &account.id, &person.actor(), now, "ChangePassword", &[])
    });
    changed.await
}
