//! This file's job is to answer the management clients of CodePush's servers, so that scripts which release with them go on.
//!
//! ```text
//! routes (which request is what) → apps, deployments, releases, publish, account → services (our RPCs, called as the caller)
//! ```
//!
//! Nothing here reads or changes anything itself: each answer is made of RPCs that the caller could call, through the same guard. What the
//! caller may not do, nobody can do for it here.

mod access_keys;
mod account;
mod apps;
mod collaborators;
mod deployments;
mod name;
mod package_form;
mod provenance;
mod publish;
mod refusal;
mod releases;
mod routes;
mod services;
mod sessions;
mod single_file;
mod transfer;
mod wire;

use crate::context::Context;
use axum::Router;
use axum::routing::any;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Where the management address begins; clients add paths such as `/apps`.
const PREFIX: &str = "/codepush";
/// Packages that one replica takes in at once: each lies on its disk until the store has it.
const PACKAGES_MAX: usize = 8;

/// What the routes share.
#[derive(Clone)]
struct Management {
    context: Context,
    /// Our services, behind the guard.
    calls: Router,
    packages: Arc<Semaphore>,
}

/// Makes the routes. `calls` serves our RPCs.
pub fn router(context: Context, calls: Router) -> Router {
    let management = Management { context, calls, packages: Arc::new(Semaphore::new(PACKAGES_MAX)) };
    Router::new()
        .route(PREFIX, any(routes::answer))
        .route(&format!("{PREFIX}/{{*path}}"), any(routes::answer))
        .with_state(management)
}
