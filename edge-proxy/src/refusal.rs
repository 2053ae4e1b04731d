//! This file's job is to say to a device why it does not get what it asked for.

use crate::allowance::{BURST, Rate};
use crate::body::Body;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use runtime::random;
use std::borrow::Cow;
use std::time::Duration;

const POLICY_HEADER: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT_HEADER: HeaderName = HeaderName::from_static("ratelimit");

/// The names of all quotas.
pub(crate) const SCOPES: [&str; 4] = ["address", "registration", "app", "device-class"];

/// Plans change rarely; an app asks again when it is started anyway.
const DEVICES_FULL_RETRY_AFTER_S: u32 = 60 * 60;

/// An answer that is not what was asked for: a status, a reason for programs and a text for people.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
    message: Cow<'static, str>,
    retry_after_s: Option<u32>,
    allow: Option<&'static str>,
    /// In a box, because answers are moved about more often than refused.
    quota: Option<Box<Quota>>,
}

/// A limit, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) name: &'static str,
    /// Whose it is, for people.
    pub(crate) of: &'static str,
    /// Requests a second.
    pub(crate) rate: Rate,
    /// Requests that may still come now.
    pub(crate) left: u32,
    /// Until there is room for one more, or, when something is left, until all is there again.
    pub(crate) reset: Duration,
}

impl Refusal {
    const fn new(status: StatusCode, reason: &'static str, message: Cow<'static, str>) -> Self {
        Self { status, reason, message, retry_after_s: None, allow: None, quota: None }
    }

    /// The request is wrong; sending it again cannot help.
    pub(crate) fn malformed(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, message.into())
    }

    /// No valid device token came with the request: register again.
    pub(crate) const fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "token-invalid",
            Cow::Borrowed("the device token is missing, malformed, or not valid for this app: register again"),
        )
    }

    /// The device is refused: registering again cannot help.
    pub(crate) const fn revoked() -> Self {
        Self::new(StatusCode::FORBIDDEN, "device-revoked", Cow::Borrowed("the device is revoked"))
    }

    /// There is no such thing.
    pub(crate) const fn not_found(reason: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason, Cow::Borrowed(message))
    }

    /// There is no form of the answer that the client takes.
    pub(crate) const fn not_acceptable(reason: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, reason, Cow::Borrowed(message))
    }

    /// The route exists for other methods.
    pub(crate) const fn method(allow: &'static str) -> Self {
        let mut refusal = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            Cow::Borrowed("this path does not know the method"),
        );
        refusal.allow = Some(allow);
        refusal
    }

    /// The organization has as many devices as its plan allows: nothing that the device does changes that.
    pub(crate) const fn devices_full() -> Self {
        let mut refusal = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "device-limit",
            Cow::Borrowed("as many devices are registered as the app's plan allows"),
        );
        refusal.retry_after_s = Some(DEVICES_FULL_RETRY_AFTER_S);
        refusal
    }

    /// More requests came than are granted.
    pub(crate) fn too_many(quota: Quota) -> Self {
        let message = format!("more requests came from this {} than are granted", quota.of);
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", message.into());
        refusal.retry_after_s = Some(quota.reset_s());
        refusal.quota = Some(Box::new(quota));
        refusal
    }

    /// The body is larger than the route takes.
    pub(crate) const fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            Cow::Borrowed("the body is larger than this path takes"),
        )
    }

    /// The body did not come in time.
    pub(crate) const fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", Cow::Borrowed("the body did not arrive in time"))
    }

    /// The edge cannot answer now.
    pub(crate) const fn unavailable(reason: &'static str, message: &'static str, retry_after_s: u32) -> Self {
        let mut refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, Cow::Borrowed(message));
        refusal.retry_after_s = Some(retry_after_s);
        refusal
    }

    /// What is behind the edge gave wrong bytes.
    pub(crate) const fn bad_upstream(reason: &'static str, message: &'static str, retry_after_s: u32) -> Self {
        let mut refusal = Self::new(StatusCode::BAD_GATEWAY, reason, Cow::Borrowed(message));
        refusal.retry_after_s = Some(retry_after_s);
        refusal
    }

    /// Makes the answer: `{"error":{"reason":…,"message":…}}`.
    pub(crate) fn into_response(self) -> Response<Body> {
        let text = serde_json::json!({"error": {"reason": self.reason, "message": self.message}}).to_string();
        let mut response = Response::new(Body::Whole(Bytes::from(text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(spread(seconds)));
        }
        if let Some(quota) = self.quota {
            quota.tell(headers);
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl Refusal {
    /// Makes the answer for clients of other protocols, which show the body to developers: the text alone.
    pub(crate) fn into_text_response(self) -> Response<Body> {
        let text = Bytes::from(self.message.clone().into_owned());
        let mut response = self.into_response().map(|_| Body::Whole(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

impl Quota {
    /// In whole seconds, rounded up: whoever waits that long has waited long enough.
    fn reset_s(&self) -> u32 {
        u32::try_from(self.reset.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    /// Writes the headers of draft-ietf-httpapi-ratelimit-headers, after those of other limits.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let (name, window_s) = (self.name, BURST.as_secs());
        let policy = format!("\"{name}\";q={};w={window_s}", u64::from(self.rate.0) * window_s);
        let limit = format!("\"{name}\";r={};t={}", self.left, self.reset_s());
        for (header, text) in [(POLICY_HEADER, policy), (LIMIT_HEADER, limit)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(header, value);
            }
        }
    }
}

/// A time between once and twice as long, so that those who were refused together do not come back together.
fn spread(seconds: u32) -> u64 {
    u64::from(seconds) + random::below(u64::from(seconds) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_refused_together_come_back_at_different_times() {
        const RETRY_AFTER_S: u32 = 1_000;
        let times: Vec<u64> = (0..50)
            .map(|_| {
                let response = Refusal::unavailable("spool-broken", "", RETRY_AFTER_S).into_response();
                response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap()
            })
            .collect();
        assert!(times.iter().all(|time| (1_000..=2_000).contains(time)), "{times:?}");
        // 50 equal draws of 1,001 do not happen.
        assert!(times.iter().any(|time| *time != times[0]), "{times:?}");
    }
}
