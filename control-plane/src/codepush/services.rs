//! This file's job is to call our own services as whoever sent a request.

use crate::auth::session::ORGANIZATION_HEADER;
use crate::error::Error;
use crate::peer::Peer;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request};
use proto::v1;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tonic::Status;
use tower::Service;

/// With which callers may repeat a request that makes something; the answer is that of the first time.
const REQUEST_ID: &str = "idempotency-key";

/// The services, called with one caller's credential.
#[derive(Clone)]
pub(super) struct Services {
    calls: Router,
    authorization: HeaderValue,
    /// For which organization a person asks who belongs to more than one.
    organization: Option<HeaderValue>,
    peer: Option<Peer>,
    request_id: String,
}

impl Services {
    /// Takes the credential of a request. Only one that programs send: a browser's cookie must not do anything here.
    pub(super) fn new(calls: Router, headers: &HeaderMap, peer: Option<Peer>) -> Result<Self, Status> {
        let mut credentials = headers.get_all(AUTHORIZATION).iter();
        let (Some(authorization), None) = (credentials.next(), credentials.next()) else {
            return Err(Error::unauthenticated().into());
        };
        let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let organization = headers.get(ORGANIZATION_HEADER).cloned();
        Ok(Self { calls, authorization: authorization.clone(), organization, peer, request_id })
    }

    /// Returns the id under which the request may be repeated; empty when it may not.
    pub(super) fn request_id(&self) -> String {
        self.request_id.clone()
    }
}

impl Service<Request<tonic::body::Body>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Router as Service<Request<tonic::body::Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<tonic::body::Body>>::poll_ready(&mut self.calls, context)
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> Self::Future {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        if let Some(organization) = &self.organization {
            request.headers_mut().insert(ORGANIZATION_HEADER, organization.clone());
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        self.calls.call(request)
    }
}

/// Names a client for each service.
macro_rules! clients {
    ($($name:ident: $module:ident :: $client:ident),+ $(,)?) => {
        impl Services {$(
            pub(super) fn $name(&self) -> v1::$module::$client<Self> {
                v1::$module::$client::new(self.clone())
            }
        )+}
    };
}

clients! {
    accounts: account_service_client::AccountServiceClient,
    api_keys: api_key_service_client::ApiKeyServiceClient,
    apps: app_service_client::AppServiceClient,
    bundles: bundle_service_client::BundleServiceClient,
    channels: channel_service_client::ChannelServiceClient,
    deployment_keys: deployment_key_service_client::DeploymentKeyServiceClient,
    people: person_service_client::PersonServiceClient,
    transfers: app_transfer_service_client::AppTransferServiceClient,
    organizations: organization_service_client::OrganizationServiceClient,
    releases: release_service_client::ReleaseServiceClient,
    uploads: upload_service_client::UploadServiceClient,
}

/// Reads all pages of a list: `call` gets the token of a page, and answers its things and the token of the next one.
pub(super) async fn all<T, F>(mut call: impl FnMut(String) -> F) -> Result<Vec<T>, Status>
where
    F: Future<Output = Result<(Vec<T>, String), Status>>,
{
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let (things, next) = call(token).await?;
        found.extend(things);
        if next.is_empty() {
            return Ok(found);
        }
        token = next;
    }
}
