//! This file's job is to serve trusted publishers.

use super::encode;
use crate::app::lookup;
use crate::app::publishers::{self, Forges, NewPublisher};
use crate::auth::caller::caller;
use crate::auth::oidc::Issuers;
use crate::auth::verify::Hasher;
use crate::context::Context;
use crate::{names, peer};
use domain::Timestamp;
use proto::v1;
use tonic::{Request, Response, Status};

/// The trusted publisher service.
#[derive(Clone)]
pub struct TrustedPublishers {
    /// What use cases need.
    pub context: Context,
    /// Hashes new keys.
    pub hasher: Hasher,
    /// Believes tokens.
    pub issuers: Issuers,
    /// Whose tokens are those of workflows.
    pub forges: Forges,
}

#[tonic::async_trait]
impl v1::trusted_publisher_service_server::TrustedPublisherService for TrustedPublishers {
    async fn create_trusted_publisher(
        &self,
        request: Request<v1::CreateTrustedPublisherRequest>,
    ) -> Result<Response<v1::CreateTrustedPublisherResponse>, Status> {
        let caller = caller(&request)?;
        let new = NewPublisher::new(request.into_inner(), |issuer| self.forges.of(issuer).is_some())?;
        let row = self.context.write(caller, move |tx, change| publishers::create(tx, change, &new)).await?;
        let trusted_publisher = Some(encode::publisher(row));
        Ok(Response::new(v1::CreateTrustedPublisherResponse { trusted_publisher }))
    }

    async fn list_trusted_publishers(
        &self,
        request: Request<v1::ListTrustedPublishersRequest>,
    ) -> Result<Response<v1::ListTrustedPublishersResponse>, Status> {
        let caller = caller(&request)?;
        let app = names::app("parent", &request.get_ref().parent)?;
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &caller.scope, &app)?;
            Ok(db::publishers::list(conn, &caller.scope, &app.id)?)
        });
        let trusted_publishers = listed.await?.into_iter().map(encode::publisher).collect();
        Ok(Response::new(v1::ListTrustedPublishersResponse { trusted_publishers }))
    }

    async fn delete_trusted_publisher(
        &self,
        request: Request<v1::DeleteTrustedPublisherRequest>,
    ) -> Result<Response<v1::DeleteTrustedPublisherResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::publisher("name", &request.get_ref().name)?;
        self.context.write(caller, move |tx, change| publishers::delete(tx, change, &path)).await?;
        Ok(Response::new(v1::DeleteTrustedPublisherResponse {}))
    }

    async fn exchange_token(
        &self,
        request: Request<v1::ExchangeTokenRequest>,
    ) -> Result<Response<v1::ExchangeTokenResponse>, Status> {
        let peer = peer::of(&request);
        let v1::ExchangeTokenRequest { id_token, channel } = request.into_inner();
        let parts = (&self.context, &self.issuers, &self.forges, &self.hasher);
        let exchanged = publishers::exchange(parts, (&id_token, &channel), peer).await?;
        let publisher = &exchanged.publisher.publisher;
        Ok(Response::new(v1::ExchangeTokenResponse {
            secret: exchanged.secret,
            expires_at_us: exchanged.key.expires_at.map_or(0, Timestamp::as_us),
            channel: names::of_channel(&publisher.app, &publisher.channel),
        }))
    }
}
