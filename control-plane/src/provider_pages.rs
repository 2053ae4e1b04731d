//! This file's job is to send browsers to the OpenID Connect provider and to take them back: plain HTTP, because browsers follow links.

use crate::app::people::{self, Entry};
use crate::auth::oidc::Provider;
use crate::auth::oidc::provider::{WAY_LIFETIME, refused};
use crate::auth::session::{BROWSER_LIFETIME, Client};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::peer::Peer;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, SET_COOKIE, USER_AGENT};
use http::{Extensions, HeaderMap, HeaderValue};
use serde::Deserialize;
use std::sync::Arc;

/// Where a browser begins.
const BEGIN: &str = "/sign-in/provider";
/// Where the provider sends it back to; to be registered there.
const BACK: &str = "/sign-in/provider/back";
/// The dashboard's page that goes on.
const PAGE: &str = "/sign-in";
/// No code and no state is longer.
const VALUE_MAX_BYTES: usize = 4_096;

#[derive(Clone)]
struct Parts {
    context: Context,
    provider: Arc<Provider>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
}

/// Makes the two routes.
pub fn router(context: Context, provider: Arc<Provider>) -> Router {
    Router::new().route(BEGIN, get(begin)).route(BACK, get(back)).with_state(Parts { context, provider })
}

async fn begin(State(Parts { context, provider }): State<Parts>, extensions: Extensions) -> Response {
    let peer = extensions.get::<Peer>().map(|peer| peer.0);
    let now = context.clock.now();
    let begun = async {
        context.door.try_provider(peer, now)?;
        let (way, cookie) = provider.begin(now);
        Ok::<_, Error>((way.page(&context.site.page(BACK)).await?, cookie))
    };
    match begun.await {
        Ok((page, cookie)) => {
            let cookie = context.site.set_way_cookie(&cookie, WAY_LIFETIME.as_secs());
            answer(Redirect::to(page.as_str()).into_response(), &[cookie])
        }
        Err(error) => failed(error),
    }
}

async fn back(
    State(Parts { context, provider }): State<Parts>,
    Query(brought): Query<Answer>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let peer = extensions.get::<Peer>().map(|peer| peer.0);
    let name = headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
    let client = Client::new(name, peer.map(|address| address.to_string()).unwrap_or_default());
    // A way is gone once and back once.
    let forget = context.site.set_way_cookie("", 0);
    match enter(&context, &provider, &headers, brought, client).await {
        Ok(Entry::Session(session)) => {
            let cookie = context.site.set_cookie(&session.token, BROWSER_LIFETIME.as_secs());
            answer(Redirect::to(&format!("{PAGE}#entered")).into_response(), &[forget, cookie])
        }
        Ok(Entry::SecondStep(token)) => {
            answer(Redirect::to(&format!("{PAGE}#second-step={token}")).into_response(), &[forget])
        }
        Err(error) => answer(failed(error), &[forget]),
    }
}

async fn enter(
    context: &Context,
    provider: &Provider,
    headers: &HeaderMap,
    brought: Answer,
    client: Client,
) -> Result<Entry> {
    let fits = |text: &String| text.len() <= VALUE_MAX_BYTES;
    let cookie = context.site.way_cookie(headers).ok_or_else(|| refused("this browser did not begin the sign-in"))?;
    let way = provider.find(cookie, context.clock.now());
    let way = way.ok_or_else(|| refused("the sign-in took too long, or this browser did not begin it"))?;
    let state = brought.state.filter(fits).ok_or_else(|| refused("it names no sign-in"))?;
    if !way.is_state(&state) {
        return Err(refused("it is for another browser's sign-in"));
    }
    let code = brought.code.filter(fits).ok_or_else(|| refused("the person did not sign in"))?;
    let subject = way.finish(&code, &context.site.page(BACK)).await?;
    people::enter_with_provider(context, subject, client).await
}

/// Sends the browser to the page that says why; the text is for people and holds nothing secret.
fn failed(error: Error) -> Response {
    let status = tonic::Status::from(error);
    let message: String = url::form_urlencoded::byte_serialize(status.message().as_bytes()).collect();
    Redirect::to(&format!("{PAGE}#problem={message}")).into_response()
}

fn answer(mut response: Response, cookies: &[String]) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(SET_COOKIE, cookie);
    }
    response
}
