//! This file's job is to say whose credential came with a request.

use super::refusal::Refusal;
use super::services::Services;
use db::Role;
use domain::id::SessionId;
use proto::v1;
use serde_json::{Map, Value, json};
use tonic::Status;

/// Whose credential came with a request: of a program with a key, or of a person with a session.
pub(super) struct Account {
    pub(super) caller: v1::GetCallerResponse,
    /// The person's address; of a key the public part, which stands where clients show addresses.
    pub(super) email: String,
}

impl Account {
    /// Whether the credential is a session's.
    pub(super) fn is_person(&self) -> bool {
        self.caller.credential.parse::<SessionId>().is_ok()
    }
}

/// The account that a request came with.
pub(super) async fn of(services: &Services) -> Result<Account, Status> {
    let caller = services.accounts().get_caller(v1::GetCallerRequest {}).await?.into_inner();
    let mut account = Account { email: caller.credential.clone(), caller };
    if account.is_person() {
        let person = services.people().get_person(v1::GetPersonRequest {}).await?.into_inner().person;
        account.email = person.unwrap_or_default().email;
    }
    Ok(account)
}

/// `GET /authenticated`
pub(super) async fn authenticated(services: &Services) -> Result<Value, Refusal> {
    of(services).await?;
    Ok(json!({ "authenticated": true }))
}

/// `GET /account`
pub(super) async fn account(services: &Services) -> Result<Value, Refusal> {
    let account = of(services).await?;
    let shown = json!({ "name": account.caller.organization_name, "email": account.email, "linkedProviders": [] });
    Ok(json!({ "account": shown }))
}

/// Returns an app's collaborators as far as the caller is one.
pub(super) fn own_place(account: &Account) -> Map<String, Value> {
    let place = json!({ "permission": permission(&account.caller.role), "isCurrentAccount": true });
    Map::from_iter([(account.email.clone(), place)])
}

/// Clients know two roles.
pub(super) fn permission(role: &str) -> &'static str {
    let may_all = [Role::Owner, Role::Admin].iter().any(|one| one.as_str() == role);
    if may_all { "Owner" } else { "Collaborator" }
}
