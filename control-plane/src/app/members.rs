//! This file's job is to name what can be done about who belongs to an organization, and the rules that all of it obeys.

mod change;
mod invitations;
mod organization;

pub use change::{change_role, leave, remove};
pub use invitations::{accept, accept_mail, delete, invite};
pub use organization::create;

use crate::error::{Error, Result};
use db::{Role, Scope, Tx};
use domain::ErrorKind;
use proto::v1::Reason;

/// Admins manage everybody but owners; owners manage everybody.
fn check_rank(manager: Role, roles: &[Role]) -> Result<()> {
    let needs_owner = roles.contains(&Role::Owner);
    if needs_owner && manager != Role::Owner { Err(Error::forbidden()) } else { Ok(()) }
}

/// Checks that the organization has an owner besides one that goes. The caller holds the lock.
fn check_owner_stays(tx: &mut Tx<'_>, scope: &Scope, before: Role) -> Result<()> {
    if before == Role::Owner && db::members::count_owners(tx, scope)? < 2 {
        let message = "the organization needs an owner: make somebody else one first";
        return Err(Error::refused(ErrorKind::FailedPrecondition, Reason::LastOwner, message));
    }
    Ok(())
}

/// Reads a role.
///
/// # Errors
/// Invalid argument that names `role`.
pub fn role(text: &str) -> Result<Role> {
    text.parse().map_err(|_| Error::field("role", "must be owner, admin, developer or viewer"))
}
