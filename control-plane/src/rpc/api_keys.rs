//! This file's job is to serve API keys.

use super::encode;
use crate::app::api_keys::{self, NewKey, Roll, Update};
use crate::auth::caller::caller;
use crate::auth::verify::Hasher;
use crate::context::Context;
use crate::names;
use crate::paging::List;
use domain::id::ApiKeyId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The API key service.
#[derive(Clone)]
pub struct ApiKeys {
    /// What use cases need.
    pub context: Context,
    /// Hashes new keys.
    pub hasher: Hasher,
}

#[tonic::async_trait]
impl v1::api_key_service_server::ApiKeyService for ApiKeys {
    async fn create_api_key(
        &self,
        request: Request<v1::CreateApiKeyRequest>,
    ) -> Result<Response<v1::CreateApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let new = NewKey::new(request.get_ref(), &caller, self.context.clock.now())?;
        self.context.check_active(&caller).await?;
        let minted = api_keys::mint(&self.hasher, new.environment).await?;
        let secret = minted.key.expose().to_owned();
        let key = self.context.write(caller, move |tx, change| api_keys::create(tx, change, &new, &minted)).await?;
        Ok(Response::new(v1::CreateApiKeyResponse { api_key: Some(encode::api_key(&key)?), secret }))
    }

    async fn get_api_key(
        &self,
        request: Request<v1::GetApiKeyRequest>,
    ) -> Result<Response<v1::GetApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let id = names::key("name", &request.get_ref().name)?;
        let key = self.context.read(move |conn| Ok(db::api_keys::get(conn, &caller.scope, &id)?)).await?;
        Ok(Response::new(v1::GetApiKeyResponse { api_key: Some(encode::api_key(&key)?) }))
    }

    async fn list_api_keys(
        &self,
        request: Request<v1::ListApiKeysRequest>,
    ) -> Result<Response<v1::ListApiKeysResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let list = List { method: "ListApiKeys", parent: "", organization: caller.organization() };
        let page = self.context.pages.read::<ApiKeyId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self
            .context
            .read(move |conn| Ok(db::api_keys::list(conn, &scope, after.as_ref().map(ApiKeyId::as_str), limit)?));
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let api_keys = rows.iter().map(encode::api_key).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListApiKeysResponse { api_keys, next_page_token }))
    }

    async fn update_api_key(
        &self,
        request: Request<v1::UpdateApiKeyRequest>,
    ) -> Result<Response<v1::UpdateApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let mask = request.update_mask.unwrap_or_default().paths;
        let update = Update::new(&request.api_key.unwrap_or_default(), &mask, self.context.clock.now())?;
        self.context.check_active(&caller).await?;
        let key = self.context.write(caller, move |tx, change| api_keys::update(tx, change, &update)).await?;
        Ok(Response::new(v1::UpdateApiKeyResponse { api_key: Some(encode::api_key(&key)?) }))
    }

    async fn roll_api_key(
        &self,
        request: Request<v1::RollApiKeyRequest>,
    ) -> Result<Response<v1::RollApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let roll = Roll::new(request.get_ref())?;
        self.context.check_active(&caller).await?;
        let (asked, scope) = (roll.clone(), caller.scope.clone());
        let environment = self.context.read(move |conn| asked.environment(conn, &scope)).await?;
        let minted = api_keys::mint(&self.hasher, environment).await?;
        let secret = minted.key.expose().to_owned();
        let key = self.context.write(caller, move |tx, change| api_keys::roll(tx, change, &roll, &minted)).await?;
        Ok(Response::new(v1::RollApiKeyResponse { api_key: Some(encode::api_key(&key)?), secret }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<v1::RevokeApiKeyRequest>,
    ) -> Result<Response<v1::RevokeApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let id = names::key("name", &request.get_ref().name)?;
        let key = self.context.write(caller, move |tx, change| api_keys::revoke(tx, change, &id)).await?;
        Ok(Response::new(v1::RevokeApiKeyResponse { api_key: Some(encode::api_key(&key)?) }))
    }
}
