//! This file's job is to invite people to an organization and to let them in.

use super::check_rank;
use crate::app::people::{link_invalid, queue_mail};
use crate::app::record;
use crate::auth::caller::Actor;
use crate::auth::session::SignedIn;
use crate::context::Change;
use crate::error::{Error, Result};
use db::accounts::Account;
use db::invitations::{Invitation, OPEN_MAX};
use db::mails::Mail;
use db::members::Member;
use db::organizations::Organization;
use db::{MailKind, Role, Scope, Tx};
use domain::id::{InvitationId, UserId};
use domain::{EmailAddress, ErrorKind, Sha256, Timestamp};
use proto::v1::Reason;

/// Invites somebody.
///
/// # Errors
/// Already exists when the address belongs to a member; permission denied when an admin invites an owner; resource exhausted when
/// too many invitations are open, or when the address got too many mails lately.
pub fn invite(tx: &mut Tx<'_>, change: &Change, by: &UserId, email: &EmailAddress, role: Role) -> Result<Invitation> {
    let (scope, now) = (&change.caller.scope, change.now);
    check_rank(change.caller.role, &[role])?;
    db::members::lock(tx, scope)?;
    if let Some(account) = db::accounts::find_by_email(tx, email)?
        && db::members::find(tx, scope, &account.id)?.is_some()
    {
        return Err(Error::exists("member"));
    }
    let open = db::invitations::list(tx, scope, now)?;
    if open.len() >= OPEN_MAX && open.iter().all(|invitation| invitation.email != *email) {
        let message = "the organization has as many open invitations as it may have";
        let refusal = Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message);
        return Err(refusal.with("limit", OPEN_MAX).with("current", open.len()));
    }
    if let Some(earlier) = open.iter().find(|invitation| invitation.email == *email) {
        db::mails::set_used(tx, &earlier.mail, now)?;
    }
    let organization = db::organizations::get(tx, scope)?;
    let mail = queue_mail(tx, MailKind::Invitation, email, None, &organization.name, now)?.ok_or_else(|| {
        let message = "this address got too many mails lately: invite it again in an hour";
        Error::refused(ErrorKind::ResourceExhausted, Reason::TooManyAttempts, message)
    })?;
    let invitation = Invitation {
        id: InvitationId::from_parts(now, runtime::random::bytes()),
        organization: organization.id,
        email: email.clone(),
        role,
        invited_by: by.clone(),
        expires_at: mail.expires_at,
        mail: mail.id,
        created_at: now,
    };
    db::invitations::insert(tx, scope, &invitation)?;
    let facts = [("email", email.as_str()), ("role", role.as_str())];
    record::done(tx, change, "CreateInvitation", format!("invitations/{}", invitation.id), &facts)?;
    Ok(invitation)
}

/// Takes an invitation back.
///
/// # Errors
/// Not found, also for another organization's; permission denied when an admin takes an owner's back.
pub fn delete(tx: &mut Tx<'_>, change: &Change, id: &InvitationId) -> Result<()> {
    let scope = &change.caller.scope;
    let open = db::invitations::list(tx, scope, change.now)?;
    let invitation = open.into_iter().find(|open| open.id == *id).ok_or_else(|| Error::not_found("invitation"))?;
    check_rank(change.caller.role, &[invitation.role])?;
    db::invitations::delete(tx, scope, id)?;
    db::mails::set_used(tx, &invitation.mail, change.now)?;
    let facts = [("email", invitation.email.as_str())];
    record::done(tx, change, "DeleteInvitation", format!("invitations/{id}"), &facts)
}

/// Lets a person who is signed in accept the invitation of a mail's link.
///
/// # Errors
/// Failed precondition when the link does not work, or was sent to somebody else.
pub fn accept(tx: &mut Tx<'_>, person: &SignedIn, token: &Sha256, now: Timestamp) -> Result<(Organization, Member)> {
    let mail = db::mails::find_by_token(tx, MailKind::Invitation, token, now)?;
    // A link that somebody passed on lets nobody in but the one who was meant.
    let mail = mail.filter(|mail| mail.address == person.account.email).ok_or_else(link_invalid)?;
    accept_mail(tx, &person.account, &person.actor(), &mail, now)
}

/// Makes the account a member of the organization that the mail invites to, and uses the mail's link up.
///
/// # Errors
/// Failed precondition when the invitation was taken back.
pub fn accept_mail(
    tx: &mut Tx<'_>,
    account: &Account,
    actor: &Actor,
    mail: &Mail,
    now: Timestamp,
) -> Result<(Organization, Member)> {
    let invitation = db::invitations::find_by_mail(tx, &mail.id)?.ok_or_else(link_invalid)?;
    db::mails::set_used(tx, &mail.id, now)?;
    // Nobody acts in it yet: the invitation is the proof.
    let scope = Scope::authorized(invitation.organization.clone());
    db::members::lock(tx, &scope)?;
    db::invitations::delete(tx, &scope, &invitation.id)?;
    let member = Member {
        organization: invitation.organization.clone(),
        account: account.id.clone(),
        role: invitation.role,
        created_at: now,
    };
    db::members::insert(tx, &member)?;
    let facts = [("invitation", invitation.id.as_str()), ("role", invitation.role.as_str())];
    record::in_organization(tx, &invitation.organization, actor, now, "AcceptInvitation", &facts)?;
    Ok((db::organizations::get(tx, &scope)?, member))
}
