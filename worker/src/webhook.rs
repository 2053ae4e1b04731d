//! This file's job is to sign a message and to bring it to an address that somebody else chose.
//!
//! The form is that of Standard Webhooks (standardwebhooks.com). Who may name addresses must not reach what only this machine reaches:
//! names are resolved here, only permitted addresses are connected to, and no redirect is followed.

use crate::config::Config;
use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::webhook_deliveries::{Delivery, Outcome};
use domain::Timestamp;
use domain::web_address::WebReach;
use http::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use ring::hmac;
use runtime::clock::Clock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error as ThisError;
use zeroize::Zeroizing;

/// What secrets begin with where people see them.
const SECRET_PREFIX: &str = "whsec_";
/// A receiver that takes longer to accept a connection is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A receiver answers first and works then. Others of the tier wait meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A key that messages are signed with.
pub(crate) type SigningKey = Zeroizing<Vec<u8>>;

/// Brings messages.
pub(crate) struct Courier {
    http: reqwest::Client,
    reach: WebReach,
    clock: Clock,
}

/// The name leads to no address that may be connected to.
#[derive(Debug, ThisError)]
#[error("the name leads to no address that may be connected to")]
struct Unreachable;

/// Resolves names to those addresses that may be connected to.
struct Resolver(WebReach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.filter(|address| reach.covers(address.ip())).collect();
            if addresses.is_empty() {
                return Err(Unreachable.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

impl Courier {
    /// Makes a courier; nothing is connected yet.
    pub(crate) fn new(config: &Config, clock: Clock) -> Result<Self, Error> {
        // The first provider wins; a second one can only be the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let reach = config.web_reach();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            // A proxy would resolve names itself.
            .no_proxy()
            // A connection that is kept would outlive the check of its address.
            .pool_max_idle_per_host(0)
            .http1_only()
            .referer(false)
            .user_agent(concat!("aloft/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver(reach)))
            .build()
            .map_err(|cause| {
                Error::Internal(format!("the HTTP client cannot be made: {}", crate::error::chain(&cause)))
            })?;
        Ok(Self { http, reach, clock })
    }

    /// Sends a message once, signed with each of the keys.
    pub(crate) async fn send(&self, url: &str, keys: &[SigningKey], row: &Delivery) -> Outcome {
        let (at, begun) = (self.clock.now(), Instant::now());
        let (status, error, retryable) = match self.ask(url, keys, row, at).await {
            Ok(status) if status.is_success() => (Some(status), None, false),
            // The receiver wants no more.
            Ok(StatusCode::GONE) => (Some(StatusCode::GONE), Some("the receiver is gone".to_owned()), false),
            Ok(status) if status.is_redirection() => {
                (Some(status), Some(format!("the receiver answered {status}: redirects are not followed")), true)
            }
            Ok(status) => (Some(status), Some(format!("the receiver answered {status}")), true),
            Err((error, retryable)) => (None, Some(error), retryable),
        };
        Outcome { at, duration: begun.elapsed(), status: status.map(|status| status.as_u16()), error, retryable }
    }

    /// The error says whether another try can help. Nothing of the answer is read but its status.
    async fn ask(
        &self,
        url: &str,
        keys: &[SigningKey],
        row: &Delivery,
        at: Timestamp,
    ) -> Result<StatusCode, (String, bool)> {
        // It was checked when it was written; the operator may have changed the rules since.
        let url = self.reach.read(url).map_err(|invalid| (format!("the address {}", invalid.rule), false))?;
        let seconds = at.as_us().div_euclid(1_000_000);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", row.message.as_str())
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature(keys, row.message.as_str(), seconds, &row.body))
            .body(row.body.clone());
        let answer = request.send().await.map_err(|cause| {
            // The address stands in the webhook already; its path may hold a secret that a log must not have.
            let cause = cause.without_url();
            (crate::error::chain(&cause), !is_unreachable(&cause))
        })?;
        match answer.remote_addr() {
            Some(address) if !self.reach.covers(address.ip()) => Err((Unreachable.to_string(), false)),
            Some(_) | None => Ok(answer.status()),
        }
    }
}

fn is_unreachable(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Unreachable>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns the signatures over `id.seconds.body`, one for each key, with spaces between.
fn signature(keys: &[SigningKey], id: &str, seconds: i64, body: &str) -> String {
    let sign = |key: &SigningKey| {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// Reads a secret as people write it; none when it is malformed.
pub(crate) fn read_secret(text: &str) -> Option<SigningKey> {
    let bytes = STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
    // What the specification allows.
    (24..=64).contains(&bytes.len()).then(|| Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, with Python's `hmac`, from the secret of the specification's examples.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            std::slice::from_ref(&key),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = signature(&[key.clone(), key], "a", 1, "b");
        assert_eq!(both.split(' ').count(), 2);
    }

    #[test]
    fn malformed_secrets_are_refused() {
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "whsec_é"]
        {
            assert!(read_secret(bad).is_none(), "{bad}");
        }
    }
}
