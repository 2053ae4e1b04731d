//! This file's job is to say whose credential came with a request, and who else has to do with an app.

use super::name;
use super::refusal::Refusal;
use super::services::{Services, all};
use db::Role;
use proto::v1;
use serde_json::{Map, Value, json};
use tonic::Status;

/// The credential that a request came with. To CodePush's clients it is the account.
pub(super) async fn caller(services: &Services) -> Result<v1::GetCallerResponse, Status> {
    Ok(services.accounts().get_caller(v1::GetCallerRequest {}).await?.into_inner())
}

/// `GET /authenticated`
pub(super) async fn authenticated(services: &Services) -> Result<Value, Refusal> {
    caller(services).await?;
    Ok(json!({ "authenticated": true }))
}

/// `GET /account`
pub(super) async fn account(services: &Services) -> Result<Value, Refusal> {
    let caller = caller(services).await?;
    let account = json!({ "name": caller.organization_name, "email": caller.credential, "linkedProviders": [] });
    Ok(json!({ "account": account }))
}

/// Returns an app's collaborators as far as the caller is one.
pub(super) fn own_place(caller: &v1::GetCallerResponse) -> Map<String, Value> {
    let place = json!({ "permission": permission(&caller.role), "isCurrentAccount": true });
    Map::from_iter([(caller.credential.clone(), place)])
}

/// Clients know two roles.
fn permission(role: &str) -> &'static str {
    let may_all = [Role::Owner, Role::Admin].iter().any(|one| one.as_str() == role);
    if may_all { "Owner" } else { "Collaborator" }
}

/// `GET /apps/{app}/collaborators`: the members of the organization.
pub(super) async fn collaborators(services: &Services, app: &str) -> Result<Value, Refusal> {
    name::app(services, app).await?;
    let mut places = own_place(&caller(services).await?);
    let members = all(|page_token| async move {
        let request = v1::ListMembersRequest { page_token, ..Default::default() };
        let page = services.organizations().list_members(request).await?.into_inner();
        Ok((page.members, page.next_page_token))
    });
    for member in members.await? {
        places.insert(member.email, json!({ "permission": permission(&member.role) }));
    }
    Ok(json!({ "collaborators": places }))
}
