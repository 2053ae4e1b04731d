//! This file's job is to say which request is what, and to write the answer.

use super::refusal::Refusal;
use super::services::Services;
use super::wire::Links;
use super::{
    Management, PREFIX, access_keys, account, apps, collaborators, deployments, publish, releases, sessions, transfer,
};
use crate::peer::Peer;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A description, and some short fields.
const JSON_MAX_BYTES: usize = 64 << 10;

/// What came of a request.
type Answer = Result<Response, Refusal>;

/// Answers any request. A slash at the end of a path does not count.
pub(super) async fn answer(State(management): State<Management>, request: Request<Body>) -> Response {
    match route(&management, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn route(management: &Management, request: Request<Body>) -> Answer {
    let address = request.uri().clone();
    let path = address.path().strip_prefix(PREFIX).unwrap_or_default();
    let decoded = path.split('/').filter(|part| !part.is_empty()).map(|part| percent_decode_str(part).decode_utf8());
    let decoded = decoded.collect::<Result<Vec<_>, _>>().map_err(|_| nothing_here())?;
    let path: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    let peer = request.extensions().get::<Peer>().copied();
    let services = Services::new(management.calls.clone(), request.headers(), peer)?;
    match path.as_slice() {
        ["apps", app, "deployments", rest @ ..] => of_deployments(management, &services, (app, rest), request).await,
        ["apps", rest @ ..] => of_apps(&services, rest, request).await,
        rest => of_account(management, &services, rest, request).await,
    }
}

async fn of_account(management: &Management, services: &Services, path: &[&str], request: Request<Body>) -> Answer {
    match (request.method(), path) {
        (&Method::GET, ["authenticated"]) => ok(account::authenticated(services).await?),
        (&Method::GET, ["account"]) => ok(account::account(services).await?),
        (&Method::GET, ["accessKeys"]) => ok(access_keys::list(services).await?),
        (&Method::POST, ["accessKeys"]) => {
            made(access_keys::create(services, read(request).await?, management.context.clock.now()).await?)
        }
        (&Method::GET, ["accessKeys", name]) => ok(access_keys::get(services, name).await?),
        (&Method::PATCH, ["accessKeys", name]) => {
            changed(access_keys::change(services, name, read(request).await?, management.context.clock.now()).await?)
        }
        (&Method::DELETE, ["accessKeys", name]) => gone(access_keys::delete(services, name).await?),
        (&Method::DELETE, ["sessions", created_by]) => {
            gone(sessions::end(services, &account::of(services).await?, created_by).await?)
        }
        _ => Err(nothing_here()),
    }
}

async fn of_apps(services: &Services, path: &[&str], request: Request<Body>) -> Answer {
    match (request.method(), path) {
        (&Method::GET, []) => ok(apps::list(services).await?),
        (&Method::POST, []) => made(apps::create(services, read(request).await?).await?),
        (&Method::GET, [app]) => ok(apps::get(services, app).await?),
        (&Method::PATCH, [app]) => changed(apps::rename(services, app, read(request).await?).await?),
        (&Method::DELETE, [app]) => gone(apps::delete(services, app).await?),
        (&Method::GET, [app, "collaborators"]) => ok(collaborators::list(services, app).await?),
        (&Method::POST, [app, "collaborators", email]) => accepted(collaborators::add(services, app, email).await?),
        (&Method::DELETE, [app, "collaborators", email]) => gone(collaborators::remove(services, app, email).await?),
        (&Method::POST, [app, "transfer", to]) => accepted(transfer::offer(services, app, to).await?),
        _ => Err(nothing_here()),
    }
}

async fn of_deployments(
    management: &Management,
    services: &Services,
    (app, path): (&str, &[&str]),
    request: Request<Body>,
) -> Answer {
    let links = Links::new(&management.context.site);
    match (request.method(), path) {
        (&Method::GET, []) => ok(deployments::list(services, &links, app).await?),
        (&Method::POST, []) => made(deployments::create(services, app, read(request).await?).await?),
        (&Method::GET, [name]) => ok(deployments::get(services, &links, app, name).await?),
        (&Method::PATCH, [name]) => {
            changed(deployments::change(services, &links, (app, name), read(request).await?).await?)
        }
        (&Method::DELETE, [name]) => gone(deployments::delete(services, app, name).await?),
        (&Method::POST, [name, "release"]) => made(publish::release(management, services, (app, name), request).await?),
        (&Method::PATCH, [name, "release"]) => {
            changed(releases::patch(services, &links, (app, name), read(request).await?).await?)
        }
        (&Method::POST, [name, "promote", to]) => {
            made(releases::promote(services, &links, (app, name, to), read(request).await?).await?)
        }
        (&Method::POST, [name, "rollback"]) => made(releases::roll_back(services, &links, (app, name), None).await?),
        (&Method::POST, [name, "rollback", label]) => {
            made(releases::roll_back(services, &links, (app, name), Some(label)).await?)
        }
        (&Method::GET, [name, "history"]) => ok(releases::history(services, &links, (app, name)).await?),
        (&Method::GET, [name, "metrics"]) => ok(releases::metrics(services, (app, name)).await?),
        (&Method::DELETE, [name, "history"]) => gone(releases::clear(services, (app, name)).await?),
        (&Method::GET, [name, "packages", release]) => releases::download(services, (app, name, release)).await,
        _ => Err(nothing_here()),
    }
}

/// Reads a JSON body; clients that have nothing to say send none.
async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refusal> {
    let too_large = || Refusal::Text(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.".to_owned());
    let body = to_bytes(request.into_body(), JSON_MAX_BYTES).await.map_err(|_| too_large())?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(body)
        .map_err(|error| Refusal::field("body", &format!("must be JSON as clients send it: {error}")))
}

fn ok(answer: Value) -> Answer {
    Ok(Json(answer).into_response())
}

fn made(answer: Value) -> Answer {
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Somebody else has to agree before there is something to show.
fn accepted((): ()) -> Answer {
    Ok(StatusCode::CREATED.into_response())
}

/// A change that changes nothing has no content.
fn changed(answer: Option<Value>) -> Answer {
    answer.map_or_else(|| gone(()), ok)
}

fn gone((): ()) -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn nothing_here() -> Refusal {
    Refusal::Text(StatusCode::NOT_FOUND, "Not Found".to_owned())
}
