//! This file's job is `aloft logout`: end the session and forget what was kept.

use crate::connection::Connection;
use crate::error::Error;
use crate::progress::Progress;
use crate::report::AnyReport;
use crate::settings::{DEFAULT_SERVER, Settings};
use proto::v1::{self, Reason};
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::path::Path;

/// What was forgotten.
#[derive(Debug, Serialize)]
pub struct Forgotten {
    /// The server.
    pub server: String,
    /// Whether a session was ended there. An API key lives on: revoke it with `aloft key revoke`.
    pub session_ended: bool,
}

impl Display for Forgotten {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let what = if self.session_ended { "The session was ended." } else { "What was kept is forgotten." };
        writeln!(f, "{what} You are logged out of {}.", self.server)
    }
}

/// Ends the session at the server, then forgets it. An unreachable server keeps nobody logged in here: the session is forgotten all the
/// same, and the failure is told.
pub async fn run(settings: Settings, path: &Path, progress: Progress) -> Result<AnyReport, Error> {
    let server = settings.server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    if settings.api_key.is_none() && settings.session.is_none() {
        return Err(Error::NotLoggedIn);
    }
    Settings { server: Some(server.clone()), ..Settings::default() }.write(path)?;
    let mut session_ended = false;
    if let Some(session) = settings.session {
        let connection = Connection::new(&server, Some(&session), progress)?;
        session_ended = match connection.answer(connection.person().sign_out(v1::SignOutRequest {}).await) {
            Ok(_) => true,
            // It had ended before.
            Err(Error::Refused(refusal)) if refusal.reason == Some(Reason::CredentialInvalid) => false,
            Err(error) => return Err(error),
        };
    }
    Ok(Box::new(Forgotten { server, session_ended }))
}
