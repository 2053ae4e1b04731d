//! This file's job is `aloft whoami`: show whose credential is used.

use crate::connection::Connection;
use crate::error::Error;
use crate::report::AnyReport;
use crate::table;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Whose credential is used.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.GetCallerResponse")]
pub struct Caller {
    pub server: String,
    pub server_version: String,
    pub organization_id: String,
    pub organization_slug: String,
    pub organization_name: String,
    pub role: String,
    pub credential: String,
}

impl Display for Caller {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&table::pairs(&[
            ("server", format!("{} ({})", self.server, self.server_version)),
            ("organization", format!("{} ({})", self.organization_name, self.organization_slug)),
            ("role", self.role.clone()),
            ("credential", self.credential.clone()),
        ]))
    }
}

/// Asks the server who the caller is.
pub async fn caller(connection: &Connection) -> Result<Caller, Error> {
    let answer = connection.answer(connection.account().get_caller(v1::GetCallerRequest {}).await)?;
    Ok(Caller {
        server: connection.server().to_owned(),
        server_version: answer.server_version,
        organization_id: answer.organization_id,
        organization_slug: answer.organization_slug,
        organization_name: answer.organization_name,
        role: answer.role,
        credential: answer.credential,
    })
}

/// Shows whose credential is used.
pub async fn run(connection: &Connection) -> Result<AnyReport, Error> {
    Ok(Box::new(caller(connection).await?))
}
