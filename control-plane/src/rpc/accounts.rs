//! This file's job is to answer who the caller is.

use crate::auth::caller::caller;
use crate::context::Context;
use proto::v1;
use tonic::{Request, Response, Status};

/// The account service.
#[derive(Clone)]
pub struct Accounts {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::account_service_server::AccountService for Accounts {
    async fn get_caller(
        &self,
        request: Request<v1::GetCallerRequest>,
    ) -> Result<Response<v1::GetCallerResponse>, Status> {
        let caller = caller(&request)?;
        let scope = caller.scope.clone();
        let organization = self.context.read(move |conn| Ok(db::organizations::get(conn, &scope)?)).await?;
        Ok(Response::new(v1::GetCallerResponse {
            organization_id: organization.id.to_string(),
            organization_slug: organization.slug,
            organization_name: organization.name,
            role: caller.role.to_string(),
            credential: caller.actor.credential,
            server_version: crate::VERSION.to_owned(),
        }))
    }
}
