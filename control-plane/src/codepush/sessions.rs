//! This file's job is to show a person's sessions beside access keys, where CodePush's clients look for them, and to end them.

use super::account::Account;
use super::refusal::Refusal;
use super::services::Services;
use proto::v1;
use serde_json::{Value, json};
use tonic::Status;

/// Lists the sessions of the person who asks; programs have none.
pub(super) async fn list(services: &Services, account: &Account) -> Result<Vec<v1::Session>, Status> {
    if !account.is_person() {
        return Ok(Vec::new());
    }
    Ok(services.people().list_sessions(v1::ListSessionsRequest {}).await?.into_inner().sessions)
}

/// `DELETE /sessions/{createdBy}`: ends all that were begun on one machine, which is what the program there called itself.
pub(super) async fn end(services: &Services, account: &Account, created_by: &str) -> Result<(), Refusal> {
    let mut sessions = list(services, account).await?;
    sessions.retain(|session| session.client == created_by);
    if sessions.is_empty() {
        return Err(Refusal::not_found("session"));
    }
    // The one that asks goes last: after it, nothing can be asked any more.
    sessions.sort_by_key(|session| session.current);
    for session in sessions {
        let request = v1::RevokeSessionRequest { session_id: session.session_id };
        services.people().revoke_session(request).await?;
    }
    Ok(())
}

/// Writes a session as one of the access keys.
pub(super) fn shown(session: &v1::Session, hidden: &str) -> Value {
    json!({
        "id": session.session_id,
        "name": hidden,
        "friendlyName": session.session_id,
        "description": session.kind,
        "createdBy": session.client,
        "createdTime": session.created_at_us / 1_000,
        "expires": session.expires_at_us / 1_000,
        "isSession": true,
    })
}
