//! This file's job is to serve the credentials of apps.

use super::encode;
use crate::app::credentials::{self, NewCredential, NewSecret};
use crate::app::lookup;
use crate::auth::caller::caller;
use crate::context::Context;
use crate::names;
use proto::v1;
use tonic::{Request, Response, Status};

/// The credential service.
#[derive(Clone)]
pub struct Credentials {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::credential_service_server::CredentialService for Credentials {
    async fn create_credential(
        &self,
        request: Request<v1::CreateCredentialRequest>,
    ) -> Result<Response<v1::CreateCredentialResponse>, Status> {
        let (caller, vault) = (caller(&request)?, self.context.vault.clone());
        let new = NewCredential::new(request.get_ref())?;
        let row = self.context.write(caller, move |tx, change| credentials::create(tx, change, &vault, &new)).await?;
        Ok(Response::new(v1::CreateCredentialResponse { credential: Some(encode::credential(row)) }))
    }

    async fn list_credentials(
        &self,
        request: Request<v1::ListCredentialsRequest>,
    ) -> Result<Response<v1::ListCredentialsResponse>, Status> {
        let caller = caller(&request)?;
        let app = names::app("parent", &request.get_ref().parent)?;
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &caller.scope, &app)?;
            Ok(db::credentials::list(conn, &caller.scope, &app.id)?)
        });
        let credentials = listed.await?.into_iter().map(encode::credential).collect();
        Ok(Response::new(v1::ListCredentialsResponse { credentials }))
    }

    async fn replace_credential(
        &self,
        request: Request<v1::ReplaceCredentialRequest>,
    ) -> Result<Response<v1::ReplaceCredentialResponse>, Status> {
        let (caller, vault) = (caller(&request)?, self.context.vault.clone());
        let path = names::credential("name", &request.get_ref().name)?;
        let secret = NewSecret::new(&request.get_ref().secret)?;
        let replaced =
            self.context.write(caller, move |tx, change| credentials::replace(tx, change, &vault, (&path, &secret)));
        let credential = Some(encode::credential(replaced.await?));
        Ok(Response::new(v1::ReplaceCredentialResponse { credential }))
    }

    async fn delete_credential(
        &self,
        request: Request<v1::DeleteCredentialRequest>,
    ) -> Result<Response<v1::DeleteCredentialResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::credential("name", &request.get_ref().name)?;
        self.context.write(caller, move |tx, change| credentials::delete(tx, change, &path)).await?;
        Ok(Response::new(v1::DeleteCredentialResponse {}))
    }
}
