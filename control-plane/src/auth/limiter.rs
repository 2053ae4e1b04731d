//! This file's job is to let each credential, and each organization, make as many requests a minute as the plan allows, and to tell so.

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
/// Whose requests are counted; the name stands in both headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Those of one credential.
    Credential,
    /// Those of all credentials of one organization: more keys are no more requests.
    Organization,
}

/// All credentials of an organization together get as many requests as so many of them alone.
const ORGANIZATION_CREDENTIALS: u32 = 10;
/// A changed plan counts after this time at the latest.
const PLAN_KEPT: Duration = Duration::from_secs(10);
/// Organizations whose limit is remembered.
const PLANS_MAX: u64 = 10_000;

/// The window that limits are given for.
const WINDOW: Duration = Duration::from_secs(60);
/// Credentials that are counted at the same time.
const COUNTED_MAX: u64 = 100_000;

/// What came of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    policy: Policy,
    decision: Decision,
}

impl Taken {
    /// Says whether it may go on.
    #[must_use]
    pub const fn is_admitted(self) -> bool {
        self.decision.admitted
    }
}

impl Policy {
    const fn name(self) -> &'static str {
        match self {
            Self::Credential => "requests",
            Self::Organization => "organization-requests",
        }
    }

    const fn quota(self) -> &'static str {
        match self {
            Self::Credential => "requests-per-minute",
            Self::Organization => "organization-requests-per-minute",
        }
    }
}

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

    /// Counts a request. What its credential is refused costs its organization nothing.
    ///
    /// # Errors
    /// Unavailable when the plan cannot be read.
    pub async fn take(&self, caller: &Caller) -> Result<Taken> {
        let limit = match self.limits.get(caller.organization()).await {
            Some(limit) => limit,
            None => self.read_limit(caller.organization()).await?,
        };
        let now = self.start.elapsed();
        let count = |who: &str, tries| self.rates.take(who, now, Allowance { tries, window: WINDOW });
        let own = Taken { policy: Policy::Credential, decision: count(caller.actor.id.as_str(), limit) };
        if !own.is_admitted() {
            return Ok(own);
        }
        let decision = count(caller.organization().as_str(), limit.saturating_mul(ORGANIZATION_CREDENTIALS));
        let all = Taken { policy: Policy::Organization, decision };
        // The caller is told of whichever ends first.
        Ok(if decision.remaining < own.decision.remaining || !decision.admitted { all } else { own })
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
pub fn refusal(Taken { policy, decision }: Taken) -> Error {
    let whose = match policy {
        Policy::Credential => "of one credential",
        Policy::Organization => "of the whole organization",
    };
    let message = format!("the plan allows {} requests {whose} a minute", decision.limit);
    PublicError::new(ErrorKind::ResourceExhausted, Reason::RateLimited, message.clone())
        .with("quota", policy.quota())
        .with("limit", decision.limit)
        .quota(policy.quota(), message)
        .retry_after(decision.reset)
        .into()
}

/// Tells the caller how many requests are left.
pub fn tell(Taken { policy, decision }: Taken, headers: &mut HeaderMap) {
    let (name, reset) = (policy.name(), seconds(decision.reset));
    let policy = format!("\"{name}\";q={};w={}", decision.limit, WINDOW.as_secs());
    let limit = format!("\"{name}\";r={};t={reset}", decision.remaining);
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
