//! This file's job is to know the keys of issuers: discovered, fetched and kept for a while.
//!
//! Issuers are configured, so a token never decides where this server calls.

use super::claims::{Claims, Expected};
use super::keys::Keys;
use super::token::Unverified;
use crate::auth::site;
use crate::error::{Error, Result};
use domain::Timestamp;
use parking_lot::Mutex;
use runtime::clock::Clock;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Issuers answer within a second; a caller waits meanwhile.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Documents have some kilobytes.
const DOCUMENT_MAX_BYTES: usize = 256 << 10;
/// A key that was taken back is believed for so long.
const KEYS_KEPT: Duration = Duration::from_secs(60 * 60);
/// Anybody can send a token with an unknown key: it makes us ask the issuer this often at most.
const REFRESH_AFTER: Duration = Duration::from_secs(60);
/// Where an issuer describes itself.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// What an issuer says of itself, as far as it is needed.
#[derive(Debug, Clone, Deserialize)]
pub struct Description {
    issuer: String,
    #[serde(deserialize_with = "address")]
    jwks_uri: Url,
    /// Where people sign in; workflows' issuers have none.
    #[serde(default, deserialize_with = "optional_address")]
    pub authorization_endpoint: Option<Url>,
    /// Where codes are exchanged for tokens.
    #[serde(default, deserialize_with = "optional_address")]
    pub token_endpoint: Option<Url>,
    /// Where more is said of a person.
    #[serde(default, deserialize_with = "optional_address")]
    pub userinfo_endpoint: Option<Url>,
}

/// What is known of an issuer.
struct Known {
    description: Description,
    keys: Keys,
    fetched_at: Timestamp,
}

/// The place of an issuer. The lock is held while it is asked: many tokens make one question.
type Place = Arc<tokio::sync::Mutex<Option<Arc<Known>>>>;

/// Knows issuers. Clones share what is known.
#[derive(Clone)]
pub struct Issuers {
    http: reqwest::Client,
    clock: Clock,
    places: Arc<Mutex<HashMap<String, Place>>>,
}

impl Issuers {
    /// Makes it with nothing known.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(clock: Clock) -> Result<Self> {
        // The first provider wins; a second one can only be the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| Error::Broken { what: "the HTTP client cannot be made", cause: cause.into() })?;
        Ok(Self { http, clock, places: Arc::default() })
    }

    /// Returns the client, for calls to issuers.
    #[must_use]
    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Returns what a token says, once it is known to be true, said by this issuer, to us, and now.
    ///
    /// # Errors
    /// The inner error is the rule that the token breaks, for people; the outer one is unavailable when the issuer does not answer.
    pub async fn verify(
        &self,
        token: Unverified<'_>,
        expected: Expected<'_>,
    ) -> Result<std::result::Result<Claims, String>> {
        // A token that breaks a rule that costs nothing to check makes nobody ask the issuer.
        if let Err(rule) = token.claims.check(expected, self.clock.now()) {
            return Ok(Err(rule));
        }
        let known = self.known(expected.issuer, |known| known.keys.knows(token.key_id.as_deref())).await?;
        Ok(if known.keys.signed(&token) { Ok(token.claims) } else { Err("its signature is wrong".to_owned()) })
    }

    /// Returns what an issuer says of itself.
    ///
    /// # Errors
    /// Unavailable when the issuer does not answer.
    pub async fn description(&self, issuer: &str) -> Result<Description> {
        Ok(self.known(issuer, |_| true).await?.description.clone())
    }

    /// Returns what is known of an issuer; asks it when that is old, or not enough.
    async fn known(&self, issuer: &str, is_enough: impl Fn(&Known) -> bool) -> Result<Arc<Known>> {
        let place = Arc::clone(self.places.lock().entry(issuer.to_owned()).or_default());
        let mut place = place.lock().await;
        let now = self.clock.now();
        if let Some(known) = place.as_ref() {
            // A clock that went back makes what is known neither young nor old.
            let age = if known.fetched_at <= now { now.since(known.fetched_at) } else { KEYS_KEPT };
            if age < if is_enough(known) { KEYS_KEPT } else { REFRESH_AFTER } {
                return Ok(Arc::clone(known));
            }
        }
        let known = Arc::new(self.ask(issuer, now).await.map_err(|cause| {
            tracing::warn!(issuer, cause, "an issuer of tokens could not be asked");
            Error::unavailable("the issuer of the token does not answer as it should")
        })?);
        *place = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn ask(&self, issuer: &str, now: Timestamp) -> std::result::Result<Known, String> {
        let address = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
        let address = address.parse().map_err(|_| "its address is malformed".to_owned())?;
        let description: Description = serde_json::from_slice(&self.fetch(&address).await?)
            .map_err(|cause| format!("its description cannot be read: {cause}"))?;
        if description.issuer != issuer {
            return Err(format!("it calls itself {}", description.issuer));
        }
        let keys = Keys::read(&self.fetch(&description.jwks_uri).await?).ok_or("its keys cannot be read")?;
        Ok(Known { description, keys, fetched_at: now })
    }

    async fn fetch(&self, address: &Url) -> std::result::Result<Vec<u8>, String> {
        if !is_safe(address) {
            return Err(format!("{address} is not encrypted"));
        }
        let fail = |cause: reqwest::Error| format!("{address}: {}", crate::error::chain(&cause));
        let answer = self.http.get(address.clone()).send().await.map_err(fail)?;
        if !answer.status().is_success() {
            return Err(format!("{address} answered {}", answer.status()));
        }
        bounded(answer, DOCUMENT_MAX_BYTES).await
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional_address<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Url>, D::Error> {
    address(deserializer).map(Some)
}

/// Reads an answer of at most so many bytes.
///
/// # Errors
/// What went wrong, for logs.
pub async fn bounded(mut answer: reqwest::Response, max_bytes: usize) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|cause| crate::error::chain(&cause))? {
        if bytes.len() + chunk.len() > max_bytes {
            return Err("the answer is too long".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Without encryption anybody on the way could be the issuer; only on this machine nobody is on the way.
#[must_use]
pub fn is_safe(address: &Url) -> bool {
    address.scheme() == "https" || (address.scheme() == "http" && site::is_loopback(address))
}
