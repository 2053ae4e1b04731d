//! This file's job is to let each credential make as many requests a minute as its organization's plan allows, and to tell it so.

use crate::auth::caller::Caller;
use crate::auth::window::{Allowance, Decision, Windows};
use crate::error::{Error, Result};
use db::{Db, Scope};
use domain::ErrorKind;
use domain::id::OrganizationId;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::future::Cache;
use proto::error::PublicError;
use proto::v1::Reason;
use std::time::Duration;
use tokio::time::Instant;

/// The headers of draft-ietf-httpapi-ratelimit-headers, as structured fields.
const POLICY_HEADER: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT_HEADER: HeaderName = HeaderName::from_static("ratelimit");
/// What the policy is called in both headers.
const POLICY: &str = "requests";
/// A changed plan counts after this time at the latest.
const PLAN_KEPT: Duration = Duration::from_secs(10);
/// Organizations whose limit is remembered.
const PLANS_MAX: u64 = 10_000;

/// The window that limits are given for.
const WINDOW: Duration = Duration::from_secs(60);
/// Credentials that are counted at the same time.
const COUNTED_MAX: u64 = 100_000;

/// Counts the requests that reach one replica, in a sliding minute. A clock that jumps does not matter: only the monotonic one is asked.
pub struct Limiter {
    db: Db,
    limits: Cache<OrganizationId, u32>,
    start: Instant,
    rates: Windows<String>,
}

impl Limiter {
    /// Makes a limiter that has counted nothing.
    #[must_use]
    pub fn new(db: Db) -> Self {
        let limits = Cache::builder().max_capacity(PLANS_MAX).time_to_live(PLAN_KEPT).build();
        Self { db, limits, start: Instant::now(), rates: Windows::new(COUNTED_MAX, WINDOW) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// Unavailable when the plan cannot be read.
    pub async fn take(&self, caller: &Caller) -> Result<Decision> {
        let limit = match self.limits.get(caller.organization()).await {
            Some(limit) => limit,
            None => self.read_limit(caller.organization()).await?,
        };
        let allowance = Allowance { tries: limit, window: WINDOW };
        Ok(self.rates.take(caller.actor.id.as_str(), self.start.elapsed(), allowance))
    }

    async fn read_limit(&self, organization: &OrganizationId) -> Result<u32> {
        let scope = Scope::authorized(organization.clone());
        let limit = self.db.read(move |conn| db::plans::of(conn, &scope)).await?.requests_per_minute;
        self.limits.insert(organization.clone(), limit).await;
        Ok(limit)
    }
}

/// Returns the error of a request too many.
#[must_use]
pub fn refusal(decision: Decision) -> Error {
    let message = format!("the plan allows {} requests a minute", decision.limit);
    PublicError::new(ErrorKind::ResourceExhausted, Reason::RateLimited, message.clone())
        .with("quota", "requests-per-minute")
        .with("limit", decision.limit)
        .quota("requests-per-minute", message)
        .retry_after(decision.reset)
        .into()
}

/// Tells the caller how many requests are left.
pub fn tell(decision: Decision, headers: &mut HeaderMap) {
    let reset = seconds(decision.reset);
    let policy = format!("\"{POLICY}\";q={};w={}", decision.limit, WINDOW.as_secs());
    let limit = format!("\"{POLICY}\";r={};t={reset}", decision.remaining);
    let retry = (!decision.admitted).then(|| reset.to_string());
    for (name, text) in [(POLICY_HEADER, Some(policy)), (LIMIT_HEADER, Some(limit)), (RETRY_AFTER, retry)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
}

/// Whole seconds, rounded up: whoever waits that long has waited long enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
