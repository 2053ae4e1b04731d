//! This file's job is to make a control plane from its configuration and the parts that it stands on.
//!
//! ```text
//! guard (who may call what) → rpc (decode, one call, encode) → app (one use case, one transaction) → db, blob
//! edge (snapshots to edge proxies): feed (database → hub) → hub (newest state of each channel) → stream (one edge)
//! codepush (other clients' requests, answered with our own RPCs) → guard
//! watch (changes to clients that look): hub (each organization's feed, read once) → stream (one client)
//! ```

mod app;
mod auth;
mod bootstrap;
mod codepush;
mod config;
mod context;
mod dashboard;
mod edge;
mod error;
#[doc(hidden)]
pub mod foreign;
mod limits;
mod listen;
mod names;
mod paging;
mod peer;
mod provider_pages;
mod request_id;
mod rpc;
mod server;
mod settings;
mod transfer;
mod watch;

pub use auth::key::ApiKey;
pub use auth::verify::{Hasher, Verifier};
pub use auth::watch::Watch;
pub use bootstrap::FirstKey;
pub use config::{Config, SignUp};
pub use edge::fleet::{EdgeState, Fleet};
pub use error::{Error, Result};
pub use listen::Bound;
pub use settings::Settings;

use app::people::Door;
use app::publishers::Forges;
use auth::denials::Denials;
use auth::guard::{Guard, Tokens};
use auth::limiter::Limiter;
use auth::oidc::{Issuers, Provider};
use auth::password::Passwords;
use auth::second_step::SecondSteps;
use auth::session::Sessions;
use auth::shared_token::SharedToken;
use auth::site::Site;
use axum::Router;
use context::{Bounds, Context};
use domain::Sha256;
use edge::hub::Hub;
use edge::stream::Parts;
use paging::PageTokens;
use proto::policy::Policies;
use runtime::clock::Clock;
use runtime::health::Health;
use runtime::observe::Metrics;
use runtime::secret::ExposeSecret as _;
use runtime::shutdown::Stop;
use runtime::vault::Vault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Version of the software, as callers and edges see it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bundles that one replica compares at once.
const COMPARING_MAX: usize = 2;

/// What a control plane stands on.
pub struct Deps {
    /// The database, with its tables.
    pub db: db::Db,
    /// The object store.
    pub store: blob::Store,
    /// The time.
    pub clock: Clock,
    /// Says when to stop.
    pub stop: Stop,
    /// Where its metrics go.
    pub metrics: Metrics,
    /// Where it says how it is.
    pub health: Health,
}

/// A control plane that is ready to serve.
pub struct ControlPlane {
    config: Config,
    context: Context,
    hasher: Hasher,
    router: Router,
    fleet: Arc<Fleet>,
}

impl ControlPlane {
    /// Makes a control plane and starts its background work, which ends with the stop. To be called inside a Tokio runtime.
    ///
    /// # Errors
    /// When the contract's descriptors or an allowed origin cannot be read.
    pub fn build(config: Config, deps: Deps) -> Result<Self> {
        let Deps { db, store, clock, stop, metrics, health } = deps;
        let context = Context {
            db: db.clone(),
            store,
            clock: clock.clone(),
            stop: stop.clone(),
            pages: PageTokens::new(config.pepper.expose_secret().as_bytes()),
            site: Site::new(&config.public_url),
            passwords: Passwords::new(&config.pepper)?,
            door: Arc::new(Door::new(config.sign_up)),
            second_steps: SecondSteps::new(&config.pepper),
            vault: Vault::new(&config.master_keys, &config.pepper)?,
            comparing: Arc::new(Semaphore::new(COMPARING_MAX)),
            bounds: Bounds {
                upload_max_bytes: config.upload_max_bytes,
                package_max: Duration::from_secs(config.package_max_s),
                upload_keep: Duration::from_secs(config.upload_keep_hours.saturating_mul(60 * 60)),
                web_reach: config.web_reach(),
            },
        };
        let policies = Policies::read(proto::FILE_DESCRIPTOR_SET)
            .map_err(|cause| Error::Broken { what: "the contract's policies cannot be read", cause: cause.into() })?;
        let sessions = Sessions::new(db.clone(), clock.clone(), context.site.clone());
        let hasher = Hasher::new(&config.pepper, config.bcrypt_cost);
        let verifier = Arc::new(Verifier::new(db.clone(), clock.clone(), hasher.clone()));
        let tokens = Tokens {
            edge: SharedToken::new(&config.edge_token),
            operator: config.operator_token(),
            operator_domains: config.operator_domains.clone(),
        };
        let limiter = Limiter::new(db.clone());
        let issuers = Issuers::new(clock.clone())?;
        let provider = config.provider().map(|settings| Provider::new(settings, issuers.clone(), &config.pepper));
        let provider = provider.map(Arc::new);
        let guard = Arc::new(Guard::new(
            &policies,
            Arc::clone(&verifier),
            sessions,
            limiter,
            tokens,
            Denials::new(db.clone(), clock.clone()),
        ));
        let fleet = Arc::new(Fleet::new(&metrics));
        let hub = Arc::new(Hub::default());
        let token_hash = Sha256::of(config.edge_token.expose_secret().as_bytes());
        let parts = Parts { hub: Arc::clone(&hub), fleet: Arc::clone(&fleet), wishes: Arc::default(), token_hash };
        let poll = Duration::from_millis(config.poll_ms);
        let feed_health = health.component("control-plane");
        let watch_hub = Arc::new(watch::hub::Hub::default());
        let assembly = server::Assembly {
            context: context.clone(),
            hasher: hasher.clone(),
            issuers,
            provider,
            forges: Forges::new(&config.github_issuers, &config.gitlab_issuers),
            parts,
            watch_hub: Arc::clone(&watch_hub),
            guard,
            health,
        };
        let router = server::router(&config, assembly)?;
        tokio::spawn(edge::words::run(context.clone(), Arc::clone(&fleet)));
        tokio::spawn(edge::feed::run(context.clone(), hub, poll, feed_health));
        tokio::spawn(watch::hub::run(context.clone(), watch_hub, poll));
        tokio::spawn(Watch::new(db, verifier).run(poll, stop));
        Ok(Self { config, context, hasher, router, fleet })
    }

    /// Makes the first organization, its owner and a key, unless there is an organization. Whoever calls this shows the key once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn bootstrap(&self) -> Result<Option<FirstKey>> {
        bootstrap::run(&self.context, &self.config, &self.hasher).await
    }

    /// Returns everything that it serves, for calls inside the process.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Returns the edges that are connected to this replica.
    #[must_use]
    pub fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet)
    }

    /// Takes the configured address; port 0 takes a free one, which [`Bound::address`] tells.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(&self) -> Result<Bound> {
        let bound = Bound::new(&self.config, self.router(), self.context.stop.clone()).await?;
        self.context.site.settle(bound.address()?);
        Ok(bound)
    }

    /// Serves on the configured address until the stop.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn run(self) -> Result<()> {
        let bound = self.bind().await?;
        tracing::info!(address = %bound.address()?, "the control plane listens");
        bound.run().await;
        Ok(())
    }
}
