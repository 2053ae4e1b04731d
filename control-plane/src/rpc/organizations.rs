//! This file's job is to serve organizations, their members and invitations.

use super::encode;
use crate::app::members;
use crate::app::people;
use crate::auth::caller::{caller, signed_in};
use crate::context::Context;
use crate::error::Error;
use crate::paging::List;
use domain::Sha256;
use domain::id::UserId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The organization service.
#[derive(Clone)]
pub struct Organizations {
    /// What use cases need.
    pub context: Context,
}

fn person_id(text: &str) -> Result<UserId, Error> {
    text.parse().map_err(Error::in_field("person_id"))
}

#[tonic::async_trait]
impl v1::organization_service_server::OrganizationService for Organizations {
    async fn create_organization(
        &self,
        request: Request<v1::CreateOrganizationRequest>,
    ) -> Result<Response<v1::CreateOrganizationResponse>, Status> {
        let person = signed_in(&request)?;
        let v1::CreateOrganizationRequest { slug, display_name } = request.into_inner();
        let name =
            if display_name.is_empty() { slug.clone() } else { people::display_name("display_name", &display_name)? };
        let slug = slug.parse().map_err(Error::in_field("slug"))?;
        let made = self.context.change(move |tx, now| members::create(tx, &person, &slug, &name, now)).await?;
        let membership = Some(encode::membership(&made.0, &made.1));
        Ok(Response::new(v1::CreateOrganizationResponse { membership }))
    }

    async fn list_members(
        &self,
        request: Request<v1::ListMembersRequest>,
    ) -> Result<Response<v1::ListMembersResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let list = List { method: "ListMembers", parent: "", organization: caller.organization() };
        let page = self.context.pages.read::<UserId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self
            .context
            .read(move |conn| Ok(db::members::list(conn, &scope, after.as_ref().map(UserId::as_str), limit)?));
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |(account, _)| account.id.to_string());
        let members = rows.iter().map(|(account, member)| encode::member(account, member)).collect();
        Ok(Response::new(v1::ListMembersResponse { members, next_page_token }))
    }

    async fn update_member(
        &self,
        request: Request<v1::UpdateMemberRequest>,
    ) -> Result<Response<v1::UpdateMemberResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (person, role) = (person_id(&request.person_id)?, members::role(&request.role)?);
        let changed = self.context.write(caller, move |tx, change| {
            let member = members::change_role(tx, change, &person, role)?;
            Ok((db::accounts::get(tx, &person)?, member))
        });
        let (account, member) = changed.await?;
        Ok(Response::new(v1::UpdateMemberResponse { member: Some(encode::member(&account, &member)) }))
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        let caller = caller(&request)?;
        let person = person_id(&request.get_ref().person_id)?;
        self.context.write(caller, move |tx, change| members::remove(tx, change, &person)).await?;
        Ok(Response::new(v1::RemoveMemberResponse {}))
    }

    async fn leave_organization(
        &self,
        request: Request<v1::LeaveOrganizationRequest>,
    ) -> Result<Response<v1::LeaveOrganizationResponse>, Status> {
        let (caller, person) = (caller(&request)?, signed_in(&request)?.account.id);
        self.context.write(caller, move |tx, change| members::leave(tx, change, &person)).await?;
        Ok(Response::new(v1::LeaveOrganizationResponse {}))
    }

    async fn create_invitation(
        &self,
        request: Request<v1::CreateInvitationRequest>,
    ) -> Result<Response<v1::CreateInvitationResponse>, Status> {
        let (caller, by) = (caller(&request)?, signed_in(&request)?.account.id);
        let request = request.into_inner();
        let (email, role) = (people::email("email", &request.email)?, members::role(&request.role)?);
        let made = self.context.write(caller, move |tx, change| members::invite(tx, change, &by, &email, role));
        let invitation = Some(encode::invitation(&made.await?));
        Ok(Response::new(v1::CreateInvitationResponse { invitation }))
    }

    async fn list_invitations(
        &self,
        request: Request<v1::ListInvitationsRequest>,
    ) -> Result<Response<v1::ListInvitationsResponse>, Status> {
        let (caller, now) = (caller(&request)?, self.context.clock.now());
        let rows = self.context.read(move |conn| Ok(db::invitations::list(conn, &caller.scope, now)?)).await?;
        let invitations = rows.iter().map(encode::invitation).collect();
        Ok(Response::new(v1::ListInvitationsResponse { invitations }))
    }

    async fn delete_invitation(
        &self,
        request: Request<v1::DeleteInvitationRequest>,
    ) -> Result<Response<v1::DeleteInvitationResponse>, Status> {
        let caller = caller(&request)?;
        let id = request.get_ref().invitation_id.parse().map_err(Error::in_field("invitation_id"))?;
        self.context.write(caller, move |tx, change| members::delete(tx, change, &id)).await?;
        Ok(Response::new(v1::DeleteInvitationResponse {}))
    }

    async fn accept_invitation(
        &self,
        request: Request<v1::AcceptInvitationRequest>,
    ) -> Result<Response<v1::AcceptInvitationResponse>, Status> {
        let person = signed_in(&request)?;
        let token = Sha256::of(request.get_ref().token.as_bytes());
        let accepted = self.context.change(move |tx, now| members::accept(tx, &person, &token, now)).await?;
        let membership = Some(encode::membership(&accepted.0, &accepted.1));
        Ok(Response::new(v1::AcceptInvitationResponse { membership }))
    }
}
