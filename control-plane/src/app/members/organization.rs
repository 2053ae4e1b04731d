//! This file's job is to make an organization that its maker owns.

use crate::app::record;
use crate::auth::session::SignedIn;
use crate::error::{Error, Result};
use db::members::Member;
use db::organizations::Organization;
use db::{Role, Tx};
use domain::id::OrganizationId;
use domain::job::Tier;
use domain::name::OrganizationSlug;
use domain::plan::PlanName;
use domain::{ErrorKind, Timestamp};
use proto::v1::Reason;

/// Organizations of one person; more are not for working in.
const OWNED_MAX: usize = 20;

/// Makes the organization.
///
/// # Errors
/// Already exists when the short name is taken or looks like one that is; resource exhausted when the person has too many.
pub fn create(
    tx: &mut Tx<'_>,
    person: &SignedIn,
    slug: &OrganizationSlug,
    name: &str,
    now: Timestamp,
) -> Result<(Organization, Member)> {
    let places = db::members::list_of_account(tx, person.person())?;
    let owned = places.iter().filter(|(_, member)| member.role == Role::Owner).count();
    if owned >= OWNED_MAX {
        let message = "you own as many organizations as one person may own";
        let refusal = Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, message);
        return Err(refusal.with("limit", OWNED_MAX).with("current", owned));
    }
    let organization = Organization {
        id: OrganizationId::from_parts(now, runtime::random::bytes()),
        slug: slug.to_string(),
        name: name.to_owned(),
        tier: Tier::P3,
        suspended: false,
        plan: PlanName::Free,
        devices_blocked: false,
        created_at: now,
    };
    db::organizations::insert(tx, &organization)?;
    let member = Member {
        organization: organization.id.clone(),
        account: person.person().clone(),
        role: Role::Owner,
        created_at: now,
    };
    db::members::insert(tx, &member)?;
    let facts = [("slug", organization.slug.as_str())];
    record::in_organization(tx, &organization.id, &person.actor(), now, "CreateOrganization", &facts)?;
    Ok((organization, member))
}
