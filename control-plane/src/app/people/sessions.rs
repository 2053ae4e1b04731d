//! This file's job is to list and to end a person's sessions.

use crate::app::record;
use crate::auth::session::SignedIn;
use crate::context::Context;
use crate::error::Result;
use db::sessions::Session;
use domain::id::SessionId;

/// Lists the person's sessions that hold, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(context: &Context, person: &SignedIn) -> Result<Vec<Session>> {
    let (account, now) = (person.account.id.clone(), context.clock.now());
    let mut sessions = context.read(move |conn| Ok(db::sessions::list(conn, &account)?)).await?;
    sessions.retain(|session| now < session.expires_at);
    Ok(sessions)
}

/// Ends this session.
///
/// # Errors
/// Those of the database.
pub async fn sign_out(context: &Context, person: SignedIn) -> Result<()> {
    let id = person.session.id.clone();
    end(context, person, id, "SignOut").await
}

/// Ends a session of the person.
///
/// # Errors
/// Not found, also for a session of somebody else.
pub async fn revoke(context: &Context, person: SignedIn, id: SessionId) -> Result<()> {
    end(context, person, id, "RevokeSession").await
}

async fn end(context: &Context, person: SignedIn, id: SessionId, action: &'static str) -> Result<()> {
    let ended = context.change(move |tx, now| {
        db::sessions::delete(tx, person.person(), &id)?;
        record::person_did(tx, person.person(), &person.actor(), now, action, &[("session", id.as_str())])
    });
    ended.await
}
