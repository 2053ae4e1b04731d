//! This file's job is to put all services behind one router: gRPC, grpc-web, health, reflection, CodePush's management clients and the dashboard's files.

use crate::app::publishers::Forges;
use crate::app::uploads::Turns;
use crate::auth::guard::{self, Guard};
use crate::auth::oidc::{Issuers, Provider};
use crate::auth::verify::Hasher;
use crate::codepush;
use crate::config::Config;
use crate::context::Context;
use crate::dashboard;
use crate::edge::stream::Parts;
use crate::error::{Error, Result};
use crate::limits::{self, Limits};
use crate::provider_pages;
use crate::request_id;
use crate::rpc::{
    Accounts, ApiKeys, AppTransfers, Apps, Audit, Binaries, Bundles, Channels, Credentials, DeploymentKeys, Devices,
    Edges, Operator, Organizations, People, Queues, Releases, TrustedPublishers, Uploads, Watches, Webhooks,
};
use crate::watch::hub::Hub;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderName, HeaderValue, Method, header};
use proto::v1::account_service_server::AccountServiceServer;
use proto::v1::api_key_service_server::ApiKeyServiceServer;
use proto::v1::app_service_server::AppServiceServer;
use proto::v1::app_transfer_service_server::AppTransferServiceServer;
use proto::v1::audit_service_server::AuditServiceServer;
use proto::v1::binary_service_server::BinaryServiceServer;
use proto::v1::bundle_service_server::BundleServiceServer;
use proto::v1::channel_service_server::ChannelServiceServer;
use proto::v1::credential_service_server::CredentialServiceServer;
use proto::v1::deployment_key_service_server::DeploymentKeyServiceServer;
use proto::v1::device_service_server::DeviceServiceServer;
use proto::v1::edge_service_server::EdgeServiceServer;
use proto::v1::operator_service_server::OperatorServiceServer;
use proto::v1::organization_service_server::OrganizationServiceServer;
use proto::v1::person_service_server::PersonServiceServer;
use proto::v1::queue_service_server::QueueServiceServer;
use proto::v1::release_service_server::ReleaseServiceServer;
use proto::v1::sign_in_service_server::SignInServiceServer;
use proto::v1::trusted_publisher_service_server::TrustedPublisherServiceServer;
use proto::v1::upload_service_server::UploadServiceServer;
use proto::v1::watch_service_server::WatchServiceServer;
use proto::v1::webhook_service_server::WebhookServiceServer;
use runtime::health::{Health, State as HealthState};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Requests other than chunks are far smaller; the largest is a batch of 1,000 events.
const MESSAGE_MAX_BYTES: usize = 5_000_000;
/// What a person types into a form.
const FORM_MAX_BYTES: usize = 16 << 10;
/// A chunk of 4 MiB and the fields around it.
const CHUNK_MESSAGE_MAX_BYTES: usize = (4 << 20) + (64 << 10);
/// Browsers ask again after this time whether they may call.
const CORS_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);
/// What grpc-web clients send and read.
const CORS_REQUEST_HEADERS: [&str; 7] = [
    "aloft-organization",
    "authorization",
    "content-type",
    "grpc-timeout",
    "x-grpc-web",
    "x-request-id",
    "x-user-agent",
];
const CORS_ANSWER_HEADERS: [&str; 7] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "x-request-id",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
];

/// What the router is made of.
pub struct Assembly {
    /// What use cases need.
    pub context: Context,
    /// Hashes new keys.
    pub hasher: Hasher,
    /// Believes tokens of other issuers.
    pub issuers: Issuers,
    /// With which people may sign in.
    pub provider: Option<Arc<Provider>>,
    /// Whose tokens are those of workflows.
    pub forges: Forges,
    /// What edges' streams need.
    pub parts: Parts,
    /// What watchers share.
    pub watch_hub: Arc<Hub>,
    /// Lets calls through.
    pub guard: Arc<Guard>,
    /// How the parts of the process are.
    pub health: Health,
}

/// Makes the router.
///
/// # Errors
/// When the contract's descriptors cannot be read: a mistake at build time.
pub fn router(config: &Config, assembly: Assembly) -> Result<Router> {
    let timeout = Duration::from_millis(config.call_timeout_ms);
    let limits = Arc::new(Limits::new(config.calls_max, timeout, proto::FILE_DESCRIPTOR_SET)?);
    let Assembly { context, hasher, issuers, provider, forges, parts, watch_hub, guard, health } = assembly;
    let publishers = TrustedPublishers { context: context.clone(), hasher: hasher.clone(), issuers, forges };
    let calls = services(&context, (hasher, publishers, provider.clone()), parts, watch_hub)?
        .prepare()
        .into_axum_router()
        .reset_fallback()
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(from_fn_with_state(limits, limits::limit));
    let codepush = codepush::router(context.clone(), calls.clone());
    let calls = calls.layer(tonic_web::GrpcWebLayer::new()).layer(cors(config)?);
    let router = Router::new().route("/healthz", get(healthz).with_state(health)).merge(calls).merge(codepush);
    let router = match provider {
        Some(provider) => router.merge(provider_pages::router(context, provider)),
        None => router,
    };
    let router = match config.dashboard_folder.as_os_str().is_empty() {
        true => router.fallback(unknown),
        false => router.fallback_service(dashboard::router(&config.dashboard_folder)),
    };
    Ok(router.layer(from_fn(request_id::identify)))
}

/// Adds every service with its bound on messages.
macro_rules! bounded {
    ($server:ident, $service:expr, $bound:expr) => {
        $server::new($service).max_decoding_message_size($bound)
    };
}

fn services(
    context: &Context,
    (hasher, publishers, provider): (Hasher, TrustedPublishers, Option<Arc<Provider>>),
    parts: Parts,
    watch_hub: Arc<Hub>,
) -> Result<Routes> {
    let context = || context.clone();
    let turns = Arc::new(Turns::default());
    let routes = Routes::new(bounded!(AccountServiceServer, Accounts { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(ApiKeyServiceServer, ApiKeys { context: context(), hasher }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(TrustedPublisherServiceServer, publishers, FORM_MAX_BYTES))
        .add_service(bounded!(CredentialServiceServer, Credentials { context: context() }, FORM_MAX_BYTES))
        .add_service(bounded!(
            SignInServiceServer,
            People { context: context(), provider: provider.clone() },
            FORM_MAX_BYTES
        ))
        .add_service(bounded!(PersonServiceServer, People { context: context(), provider }, FORM_MAX_BYTES))
        .add_service(bounded!(OrganizationServiceServer, Organizations { context: context() }, FORM_MAX_BYTES))
        .add_service(bounded!(AppServiceServer, Apps { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(AppTransferServiceServer, AppTransfers { context: context() }, FORM_MAX_BYTES))
        .add_service(bounded!(AuditServiceServer, Audit { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(OperatorServiceServer, Operator { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(ChannelServiceServer, Channels { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(DeploymentKeyServiceServer, DeploymentKeys { context: context() }, FORM_MAX_BYTES))
        .add_service(bounded!(DeviceServiceServer, Devices { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(BinaryServiceServer, Binaries { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(BundleServiceServer, Bundles { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(ReleaseServiceServer, Releases { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(UploadServiceServer, Uploads { context: context(), turns }, CHUNK_MESSAGE_MAX_BYTES))
        .add_service(bounded!(QueueServiceServer, Queues { context: context() }, MESSAGE_MAX_BYTES))
        .add_service(bounded!(WatchServiceServer, Watches::new(context(), watch_hub), MESSAGE_MAX_BYTES))
        .add_service(bounded!(WebhookServiceServer, Webhooks { context: context() }, FORM_MAX_BYTES))
        .add_service(bounded!(EdgeServiceServer, Edges { context: context(), parts }, MESSAGE_MAX_BYTES));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|cause| Error::Broken { what: "the contract cannot be described", cause: cause.into() })?;
    Ok(routes.add_service(reflection).add_service(health_service(context())))
}

/// Makes the standard health service; it says that nothing is served once the stop has begun.
fn health_service(context: Context) -> HealthServer<impl tonic_health::pb::health_server::Health> {
    let (reporter, service) = tonic_health::server::health_reporter();
    tokio::spawn(async move {
        context.stop.stopped().await;
        reporter.set_service_status("", ServingStatus::NotServing).await;
    });
    service
}

fn cors(config: &Config) -> Result<CorsLayer> {
    let origins = config.allowed_origins.iter().map(|origin| {
        HeaderValue::from_str(origin)
            .map_err(|cause| Error::Broken { what: "an allowed origin is malformed", cause: cause.into() })
    });
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.collect::<Result<Vec<_>>>()?))
        .allow_methods([Method::POST, Method::GET, Method::OPTIONS])
        .allow_headers(CORS_REQUEST_HEADERS.map(HeaderName::from_static))
        .expose_headers(CORS_ANSWER_HEADERS.map(HeaderName::from_static))
        .max_age(CORS_MAX_AGE))
}

/// Answers what nobody serves, in the form that the caller understands.
async fn unknown(request: Request) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
        return Status::unimplemented("there is no such service").into_http();
    }
    (StatusCode::NOT_FOUND, "there is nothing here\n").into_response()
}

/// Says how the parts of the process are: 200 while it can serve, 503 when a part is down.
async fn healthz(State(health): State<Health>) -> Response {
    let report = health.report();
    let is_down = report.iter().any(|entry| entry.state == HealthState::Down);
    let parts: Vec<_> = report
        .iter()
        .map(|entry| {
            serde_json::json!({
                "name": entry.name, "state": entry.state.as_str(), "why": entry.why, "since_us": entry.since.as_us(),
            })
        })
        .collect();
    let code = if is_down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(serde_json::json!({ "version": crate::VERSION, "parts": parts }))).into_response()
}
