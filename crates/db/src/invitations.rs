//! This file's job is to read and write invitations to organizations.

use crate::column::{all, row};
use crate::dialect::db;
use crate::schema::invitation;
use crate::{DbConn, Error, Result, Role, Scope, Tx};
use diesel::prelude::*;
use domain::id::{InvitationId, MailId, OrganizationId, UserId};
use domain::{EmailAddress, Timestamp};

/// Invitations that an organization may have open; more are no invitations but advertising.
pub const OPEN_MAX: usize = 100;

row! {
    /// An invitation. Its token is with its mail.
    pub struct Invitation as InvitationRow in invitation {
        /// Its id.
        pub id: InvitationId,
        /// The organization.
        pub organization: OrganizationId,
        /// Who is invited; has at most one invitation of an organization.
        pub email: EmailAddress,
        /// What they will be.
        pub role: Role,
        /// Who invited.
        pub invited_by: UserId,
        /// The mail with the token.
        pub mail: MailId,
        /// When it was made.
        pub created_at: Timestamp,
        /// When it ends.
        pub expires_at: Timestamp,
    }
}

/// Adds an invitation, in the place of an earlier one for the same address. `row.organization` must be the scope's.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Invitation) -> Result<()> {
    if row.organization != *scope.organization() {
        return Err(Error::not_found("organization"));
    }
    db!(tx, |c| {
        diesel::delete(invitation::table)
            .filter(invitation::organization.eq(scope.as_str()))
            .filter(invitation::email.eq(row.email.as_str()))
            .execute(c)
    })?;
    db!(tx, |c| diesel::insert_into(invitation::table).values(InvitationRow::from(row)).execute(c))?;
    Ok(())
}

/// Lists the invitations that can still be accepted, oldest first.
pub fn list(conn: &mut DbConn, scope: &Scope, now: Timestamp) -> Result<Vec<Invitation>> {
    let rows: Vec<InvitationRow> = db!(conn, |c| {
        invitation::table
            .filter(invitation::organization.eq(scope.as_str()))
            .filter(invitation::expires_at.gt(now.as_us()))
            .order(invitation::id)
            .limit(OPEN_MAX as i64)
            .select(InvitationRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Says whether any organization has invited this address. Not scoped: whoever signs in belongs to nothing yet.
pub fn is_open_for(conn: &mut DbConn, email: &EmailAddress, now: Timestamp) -> Result<bool> {
    let count: i64 = db!(conn, |c| {
        invitation::table
            .filter(invitation::email.eq(email.as_str()))
            .filter(invitation::expires_at.gt(now.as_us()))
            .count()
            .get_result(c)
    })?;
    Ok(count > 0)
}

/// Returns the invitation that a mail is for; none when it was taken back. Not scoped: whoever has the mail's token asks.
pub fn find_by_mail(conn: &mut DbConn, mail: &MailId) -> Result<Option<Invitation>> {
    let found = db!(conn, |c| {
        invitation::table
            .filter(invitation::mail.eq(mail.as_str()))
            .select(InvitationRow::as_select())
            .first(c)
            .optional()
    })?;
    found.map(TryInto::try_into).transpose()
}

/// Ends an invitation, because it was accepted or taken back.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, id: &InvitationId) -> Result<()> {
    let deleted = db!(tx, |c| {
        diesel::delete(invitation::table.find(id.as_str()))
            .filter(invitation::organization.eq(scope.as_str()))
            .execute(c)
    })?;
    if deleted == 1 { Ok(()) } else { Err(Error::not_found("invitation")) }
}
