//! This file's job is to show the members of an organization as an app's collaborators, to invite and to remove them.

use super::account::{self, Account};
use super::name;
use super::refusal::Refusal;
use super::services::{Services, all};
use db::Role;
use http::StatusCode;
use proto::v1;
use serde_json::{Value, json};
use tonic::{Code, Status};

/// What somebody is invited as: may do what a collaborator may, and not what an owner may.
const ROLE: Role = Role::Developer;
/// Keys do not decide who belongs to an organization.
const PEOPLE_ONLY: &str = "An access key cannot change who belongs to the organization: do it in the dashboard.";

/// `GET /apps/{app}/collaborators`
pub(super) async fn list(services: &Services, app: &str) -> Result<Value, Refusal> {
    name::app(services, app).await?;
    let mut places = account::own_place(&account::of(services).await?);
    for member in members(services).await? {
        let place = json!({ "permission": account::permission(&member.role) });
        places.entry(member.email).or_insert(place);
    }
    Ok(json!({ "collaborators": places }))
}

/// `POST /apps/{app}/collaborators/{email}`: invites somebody to the organization. They are a collaborator once they have accepted.
pub(super) async fn add(services: &Services, app: &str, email: &str) -> Result<(), Refusal> {
    name::app(services, app).await?;
    let account = account::of(services).await?;
    let request = v1::CreateInvitationRequest { email: email.to_owned(), role: ROLE.to_string() };
    let invited = services.organizations().create_invitation(request).await;
    invited.map(drop).map_err(|status| refused(status, &account))
}

/// `DELETE /apps/{app}/collaborators/{email}`: from the organization. Whoever has not accepted yet cannot do so any more.
pub(super) async fn remove(services: &Services, app: &str, email: &str) -> Result<(), Refusal> {
    name::app(services, app).await?;
    let account = account::of(services).await?;
    let removed = match members(services).await?.into_iter().find(|member| member.email.eq_ignore_ascii_case(email)) {
        Some(member) if member.email == account.email => leave(services).await,
        Some(member) => {
            let request = v1::RemoveMemberRequest { person_id: member.person_id };
            services.organizations().remove_member(request).await.map(drop)
        }
        None => return uninvite(services, &account, email).await,
    };
    removed.map_err(|status| refused(status, &account))
}

async fn leave(services: &Services) -> Result<(), Status> {
    services.organizations().leave_organization(v1::LeaveOrganizationRequest {}).await.map(drop)
}

async fn uninvite(services: &Services, account: &Account, email: &str) -> Result<(), Refusal> {
    let listed = services.organizations().list_invitations(v1::ListInvitationsRequest {}).await;
    let open = listed.map_err(|status| refused(status, account))?.into_inner().invitations;
    let found = open.into_iter().find(|invitation| invitation.email.eq_ignore_ascii_case(email));
    let invitation_id = found.ok_or_else(|| Refusal::not_found("collaborator"))?.invitation_id;
    let deleted = services.organizations().delete_invitation(v1::DeleteInvitationRequest { invitation_id }).await;
    deleted.map(drop).map_err(|status| refused(status, account))
}

/// Lists the members of the organization.
pub(super) async fn members(services: &Services) -> Result<Vec<v1::Member>, Status> {
    all(|page_token| async move {
        let request = v1::ListMembersRequest { page_token, ..Default::default() };
        let page = services.organizations().list_members(request).await?.into_inner();
        Ok((page.members, page.next_page_token))
    })
    .await
}

fn refused(status: Status, account: &Account) -> Refusal {
    if status.code() == Code::PermissionDenied && !account.is_person() {
        return Refusal::Text(StatusCode::FORBIDDEN, PEOPLE_ONLY.to_owned());
    }
    status.into()
}
