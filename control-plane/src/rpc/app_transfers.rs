//! This file's job is to serve the transfer of apps between organizations.

use super::encode;
use crate::app::app_transfer;
use crate::auth::caller::caller;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use domain::id::AppId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The app transfer service.
#[derive(Clone)]
pub struct AppTransfers {
    /// What use cases need.
    pub context: Context,
}

/// An app of another organization is named by its id: slugs are each organization's own.
fn app_id(name: &str) -> Result<AppId> {
    match names::app("name", name)? {
        AppRef::Id(id) => Ok(id),
        AppRef::Slug(_) => Err(Error::not_found("offer")),
    }
}

#[tonic::async_trait]
impl v1::app_transfer_service_server::AppTransferService for AppTransfers {
    async fn offer_app(&self, request: Request<v1::OfferAppRequest>) -> Result<Response<v1::OfferAppResponse>, Status> {
        let caller = caller(&request)?;
        let app = names::app("name", &request.get_ref().name)?;
        let target = request.get_ref().organization_id.parse().map_err(Error::in_field("organization_id"))?;
        let offered =
            self.context.write(caller, move |tx, change| app_transfer::offer(tx, change, &app, &target)).await?;
        Ok(Response::new(v1::OfferAppResponse { expires_at_us: offered.expires_at.as_us() }))
    }

    async fn withdraw_app(
        &self,
        request: Request<v1::WithdrawAppRequest>,
    ) -> Result<Response<v1::WithdrawAppResponse>, Status> {
        let caller = caller(&request)?;
        let app = names::app("name", &request.get_ref().name)?;
        self.context.write(caller, move |tx, change| app_transfer::withdraw(tx, change, &app)).await?;
        Ok(Response::new(v1::WithdrawAppResponse {}))
    }

    async fn list_offered_apps(
        &self,
        request: Request<v1::ListOfferedAppsRequest>,
    ) -> Result<Response<v1::ListOfferedAppsResponse>, Status> {
        let (caller, now) = (caller(&request)?, self.context.clock.now());
        let listed = self.context.read(move |conn| Ok(db::app_offers::list(conn, &caller.scope, now)?)).await?;
        Ok(Response::new(v1::ListOfferedAppsResponse { offers: listed.iter().map(encode::app_offer).collect() }))
    }

    async fn accept_app(
        &self,
        request: Request<v1::AcceptAppRequest>,
    ) -> Result<Response<v1::AcceptAppResponse>, Status> {
        let caller = caller(&request)?;
        let id = app_id(&request.get_ref().name)?;
        let slug = Some(request.get_ref().new_slug.as_str()).filter(|slug| !slug.is_empty());
        let slug = slug.map(|slug| slug.parse().map_err(Error::in_field("new_slug"))).transpose()?;
        let accepted =
            self.context.write(caller, move |tx, change| app_transfer::accept(tx, change, &id, slug.as_ref()));
        Ok(Response::new(v1::AcceptAppResponse { app: Some(encode::app(&accepted.await?)) }))
    }

    async fn decline_app(
        &self,
        request: Request<v1::DeclineAppRequest>,
    ) -> Result<Response<v1::DeclineAppResponse>, Status> {
        let caller = caller(&request)?;
        let id = app_id(&request.get_ref().name)?;
        self.context.write(caller, move |tx, change| app_transfer::decline(tx, change, &id)).await?;
        Ok(Response::new(v1::DeclineAppResponse {}))
    }
}
