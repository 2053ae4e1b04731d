//! This file's job is to speak with the OpenID Connect provider with which people sign in: authorization code with PKCE (RFC 7636).
//!
//! Between the way there and the way back nothing is stored here: the browser keeps a random number in a signed cookie, and everything
//! that must come back unchanged is derived from that number.

use super::claims::{Claims, Expected};
use super::issuer::{self, Issuers};
use super::token::Unverified;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ErrorKind, Timestamp};
use proto::v1::Reason;
use ring::hmac;
use runtime::secret::{ExposeSecret as _, Secret};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;

/// Long enough to sign in at the provider, with a second step there.
pub const WAY_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// What is asked of the provider: who the person is, and their address.
const SCOPE: &str = "openid email profile";
/// Answers have a few kilobytes.
const ANSWER_MAX_BYTES: usize = 64 << 10;
const MAC_BYTES: usize = 32;

/// What the configuration says of the provider.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its issuer.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// With which we prove that.
    pub client_secret: Secret,
    /// What people call it.
    pub name: String,
}

/// A provider.
#[derive(Clone)]
pub struct Provider {
    settings: Settings,
    issuers: Issuers,
    key: hmac::Key,
}

/// A way to the provider and back, of one browser.
pub struct Way<'a> {
    provider: &'a Provider,
    number: String,
}

/// Who the provider says has signed in.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The provider.
    pub issuer: String,
    /// The person's id there.
    pub subject: String,
    /// The person's address, if the provider has seen that they read its mail.
    pub email: Option<String>,
    /// The person's name.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

impl Provider {
    /// Makes it; all replicas derive the same from one pepper.
    #[must_use]
    pub fn new(settings: Settings, issuers: Issuers, pepper: &Secret) -> Self {
        let pepper = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes());
        let derived = hmac::sign(&pepper, b"ways to the provider");
        Self { settings, issuers, key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) }
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Begins a way; returns it with the cookie's value that it goes by.
    #[must_use]
    pub fn begin(&self, now: Timestamp) -> (Way<'_>, String) {
        let number = URL_SAFE_NO_PAD.encode(runtime::random::bytes::<32>());
        let ends_at = now.plus(WAY_LIFETIME).as_us();
        let claim = format!("{number}.{ends_at}");
        let mac = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, claim.as_bytes()));
        (Way { provider: self, number }, format!("{claim}.{mac}"))
    }

    /// Finds the way that a cookie's value belongs to; none when it is not ours, or too old.
    #[must_use]
    pub fn find(&self, cookie: &str, now: Timestamp) -> Option<Way<'_>> {
        let (claim, mac) = cookie.rsplit_once('.')?;
        hmac::verify(&self.key, claim.as_bytes(), &URL_SAFE_NO_PAD.decode(mac).ok()?).ok()?;
        let (number, ends_at) = claim.split_once('.')?;
        let ends_at = Timestamp::from_us(ends_at.parse().ok()?);
        let in_time = now < ends_at && ends_at <= now.plus(WAY_LIFETIME);
        in_time.then(|| Way { provider: self, number: number.to_owned() })
    }
}

impl Way<'_> {
    fn derived(&self, purpose: &str) -> String {
        let tag = hmac::sign(&self.provider.key, format!("{purpose}\0{}", self.number).as_bytes());
        URL_SAFE_NO_PAD.encode(&tag.as_ref()[..MAC_BYTES])
    }

    /// Returns the provider's page for this way.
    ///
    /// # Errors
    /// Unavailable when the provider does not answer.
    pub async fn page(&self, redirect_uri: &str) -> Result<Url> {
        let settings = &self.provider.settings;
        let description = self.provider.issuers.description(&settings.issuer).await?;
        let mut page = description.authorization_endpoint.ok_or_else(|| incomplete("authorization_endpoint"))?;
        let verifier = self.derived("verifier");
        let challenge = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()));
        page.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", SCOPE)
            .append_pair("state", &self.derived("state"))
            .append_pair("nonce", &self.derived("nonce"))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(page)
    }

    /// Says whether the provider sent this browser back.
    #[must_use]
    pub fn is_state(&self, state: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &runtime::random::bytes::<32>());
        hmac::verify(&key, state.as_bytes(), hmac::sign(&key, self.derived("state").as_bytes()).as_ref()).is_ok()
    }

    /// Exchanges the code that the browser brought back.
    ///
    /// # Errors
    /// Unauthenticated when the provider's answer is not to be believed; unavailable when it does not answer.
    pub async fn finish(&self, code: &str, redirect_uri: &str) -> Result<Subject> {
        let settings = &self.provider.settings;
        let description = self.provider.issuers.description(&settings.issuer).await?;
        let endpoint = description.token_endpoint.ok_or_else(|| incomplete("token_endpoint"))?;
        let verifier = self.derived("verifier");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("client_id", &settings.client_id),
            ("code_verifier", &verifier),
        ];
        let secret = settings.client_secret.expose_secret();
        let request = self.provider.issuers.http().post(checked(endpoint)?);
        // RFC 6749, section 2.3.1: both halves are form-encoded first.
        let request = request.basic_auth(form_encoded(&settings.client_id), Some(form_encoded(secret))).form(&form);
        let tokens: Tokens = self.ask(request).await?;
        let claims = self.verify(&tokens.id_token).await?;
        let claims = match (claims.text("email"), tokens.access_token, description.userinfo_endpoint) {
            (None, Some(token), Some(endpoint)) => self.more(claims, &token, endpoint).await?,
            _ => claims,
        };
        let verified = claims.text("email").filter(|_| claims.is_true("email_verified"));
        Ok(Subject {
            issuer: settings.issuer.clone(),
            subject: claims.text("sub").ok_or_else(|| refused("it does not say who signed in"))?,
            email: verified,
            name: claims.text("name"),
        })
    }

    async fn verify(&self, id_token: &str) -> Result<Claims> {
        let settings = &self.provider.settings;
        let expected = Expected { issuer: &settings.issuer, audience: &settings.client_id };
        let token = Unverified::read(id_token).ok_or_else(|| refused("its token cannot be read"))?;
        let claims = self.provider.issuers.verify(token, expected).await?.map_err(|rule| refused(&rule))?;
        if claims.text("nonce") != Some(self.derived("nonce")) {
            return Err(refused("its token is for another sign-in"));
        }
        if claims.text("azp").is_some_and(|party| party != settings.client_id) {
            return Err(refused("its token is for another client"));
        }
        Ok(claims)
    }

    /// Asks for what the token does not say. The answer must be about the same person.
    async fn more(&self, claims: Claims, access_token: &str, endpoint: Url) -> Result<Claims> {
        let request = self.provider.issuers.http().get(checked(endpoint)?).bearer_auth(access_token);
        let said: Map<String, Value> = self.ask(request).await?;
        let more = Claims::new(said);
        if more.text("sub").is_none() || more.text("sub") != claims.text("sub") {
            return Err(refused("it speaks of another person"));
        }
        Ok(more)
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let away = |cause: String| {
            tracing::warn!(cause, "the provider of sign-ins did not answer as it should");
            Error::unavailable("the provider of sign-ins does not answer as it should")
        };
        let answer = request.send().await.map_err(|cause| away(crate::error::chain(&cause)))?;
        let status = answer.status();
        let bytes = issuer::bounded(answer, ANSWER_MAX_BYTES).await.map_err(away)?;
        if status.is_client_error() {
            tracing::warn!(%status, answer = %String::from_utf8_lossy(&bytes), "the provider of sign-ins refused a code");
            return Err(refused("it took the code for wrong"));
        }
        if !status.is_success() {
            return Err(away(format!("it answered {status}")));
        }
        serde_json::from_slice(&bytes).map_err(|cause| away(cause.to_string()))
    }
}

fn checked(endpoint: Url) -> Result<Url> {
    if issuer::is_safe(&endpoint) { Ok(endpoint) } else { Err(incomplete("endpoint with encryption")) }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn incomplete(what: &str) -> Error {
    tracing::warn!(what, "the provider of sign-ins names no such address");
    Error::unavailable("the provider of sign-ins does not describe itself completely")
}

/// The sign-in failed at the provider, or on its way back.
pub fn refused(rule: &str) -> Error {
    let message = format!("the provider's answer is refused: {rule}");
    Error::refused(ErrorKind::Unauthenticated, Reason::SignInFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::clock::Clock;

    fn provider(pepper: &str) -> Provider {
        let settings = Settings {
            issuer: "https://issuer".into(),
            client_id: "aloft".into(),
            client_secret: Secret::from("s"),
            name: "Issuer".into(),
        };
        Provider::new(settings, Issuers::new(Clock::system()).unwrap(), &Secret::from(pepper.repeat(32)))
    }

    #[test]
    fn a_way_back_is_that_of_one_browser_and_ends_with_its_time() {
        let (ours, now) = (provider("p"), Timestamp::from_us(1_000_000));
        let (way, cookie) = ours.begin(now);
        let back = ours.find(&cookie, now).unwrap();
        assert!(back.is_state(&way.derived("state")) && !back.is_state("") && !back.is_state(&way.derived("nonce")));
        let (other, _) = ours.begin(now);
        assert!(!back.is_state(&other.derived("state")), "another browser's");
        assert!(ours.find(&cookie, now.plus(WAY_LIFETIME)).is_none());
        assert!(provider("q").find(&cookie, now).is_none());
        for bad in ["", ".", "a.b.c", &cookie[1..]] {
            assert!(ours.find(bad, now).is_none(), "{bad}");
        }
    }
}
