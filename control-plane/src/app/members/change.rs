//! This file's job is to change what members are, and to end memberships.

use super::{check_owner_stays, check_rank};
use crate::app::record;
use crate::context::Change;
use crate::error::{Error, Result};
use db::members::Member;
use db::{Role, Tx};
use domain::id::UserId;

/// Changes a member's role.
///
/// # Errors
/// Not found for somebody who is no member; permission denied for an admin who touches an owner; failed precondition when no owner
/// would be left.
pub fn change_role(tx: &mut Tx<'_>, change: &Change, person: &UserId, role: Role) -> Result<Member> {
    let scope = &change.caller.scope;
    let before = locked(tx, change, person)?;
    check_rank(change.caller.role, &[before.role, role])?;
    if role != Role::Owner {
        check_owner_stays(tx, scope, before.role)?;
    }
    db::members::set_role(tx, scope, person, role)?;
    let facts = [("before", before.role.as_str()), ("after", role.as_str())];
    record::done(tx, change, "UpdateMember", format!("people/{person}"), &facts)?;
    Ok(Member { role, ..before })
}

/// Ends somebody's membership.
///
/// # Errors
/// As [`change_role`].
pub fn remove(tx: &mut Tx<'_>, change: &Change, person: &UserId) -> Result<()> {
    let member = locked(tx, change, person)?;
    check_rank(change.caller.role, &[member.role])?;
    end(tx, change, &member, "RemoveMember")
}

/// Ends the caller's own membership.
///
/// # Errors
/// Failed precondition when no owner would be left.
pub fn leave(tx: &mut Tx<'_>, change: &Change, person: &UserId) -> Result<()> {
    let member = locked(tx, change, person)?;
    end(tx, change, &member, "LeaveOrganization")
}

fn end(tx: &mut Tx<'_>, change: &Change, member: &Member, action: &str) -> Result<()> {
    check_owner_stays(tx, &change.caller.scope, member.role)?;
    db::members::delete(tx, &change.caller.scope, &member.account)?;
    record::done(tx, change, action, format!("people/{}", member.account), &[("role", member.role.as_str())])
}

/// Finds a member and keeps everybody else from changing members until the transaction ends.
fn locked(tx: &mut Tx<'_>, change: &Change, person: &UserId) -> Result<Member> {
    let scope = &change.caller.scope;
    db::members::lock(tx, scope)?;
    // What the caller was when the call came may be history by now.
    let own = change.caller.actor.id.parse::<UserId>().ok();
    if let Some(own) = own {
        let still = db::members::find(tx, scope, &own)?.is_some_and(|member| member.role == change.caller.role);
        if !still {
            return Err(Error::forbidden());
        }
    }
    db::members::find(tx, scope, person)?.ok_or_else(|| Error::not_found("member"))
}
