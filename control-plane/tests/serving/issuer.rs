//! This file's job is to be an issuer of tokens: an HTTP server with keys that sign for real.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// RSA keys of 2048 bits, PKCS #1; making one takes too long for a test. They open nothing anywhere.
const RSA_KEYS: [&[u8]; 2] = [include_bytes!("issuer-1.der"), include_bytes!("issuer-2.der")];

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA.
    RS256,
    /// An elliptic curve.
    ES256,
}

/// An issuer that goes with this value.
pub struct Issuer {
    /// What it calls itself.
    pub url: String,
    state: Arc<Keys>,
    task: tokio::task::JoinHandle<()>,
}

struct Keys {
    rsa: [RsaKeyPair; 2],
    ec: EcdsaKeyPair,
    rotated: AtomicBool,
    failing: AtomicBool,
    asked: AtomicUsize,
}

impl Keys {
    fn rsa(&self) -> (&'static str, &RsaKeyPair) {
        if self.rotated.load(Ordering::SeqCst) { ("rsa-2", &self.rsa[1]) } else { ("rsa-1", &self.rsa[0]) }
    }

    fn published(&self) -> Value {
        let (kid, key) = self.rsa();
        let public: PublicKeyComponents<Vec<u8>> = key.public().into();
        let point = self.ec.public_key().as_ref();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [
            {"kty": "oct", "kid": "x", "k": "AA"},
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
             "n": text(&public.n),
             "e": text(&public.e)},
            {"kty": "EC", "use": "sig", "crv": "P-256", "kid": "ec-1", "x": text(&point[1..33]), "y": text(&point[33..])},
        ]})
    }
}

impl Issuer {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let state = Arc::new(Keys {
            rsa: RSA_KEYS.map(|der| RsaKeyPair::from_der(der).unwrap()),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
            rotated: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        });
        let described = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let describe = move |State(keys): State<Arc<Keys>>| async move {
            keys.asked.fetch_add(1, Ordering::SeqCst);
            if keys.failing.load(Ordering::SeqCst) { Err(StatusCode::BAD_GATEWAY) } else { Ok(Json(described)) }
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(async |State(keys): State<Arc<Keys>>| Json(keys.published())))
            .with_state(Arc::clone(&state));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, task }
    }

    /// Signs claims.
    pub fn sign(&self, algorithm: Algorithm, claims: &Value) -> String {
        match algorithm {
            Algorithm::RS256 => self.sign_as("RS256", self.state.rsa().0, claims),
            Algorithm::ES256 => self.sign_as("ES256", "ec-1", claims),
        }
    }

    /// A token that says that nothing signed it.
    pub fn unsigned(&self, claims: &Value) -> String {
        format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
    }

    /// A token that names a key of another kind than its algorithm.
    pub fn mislabelled(&self, claims: &Value) -> String {
        self.sign_as("RS256", "ec-1", claims)
    }

    fn sign_as(&self, algorithm: &str, kid: &str, claims: &Value) -> String {
        let signed = format!("{}.{}", part(&json!({"alg": algorithm, "kid": kid, "typ": "JWT"})), part(claims));
        let random = SystemRandom::new();
        let signature = if algorithm == "ES256" {
            self.state.ec.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec()
        } else {
            let key = self.state.rsa().1;
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
            signature
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Publishes another key, and signs with it.
    pub fn rotate(&self) {
        self.state.rotated.store(true, Ordering::SeqCst);
    }

    /// Lets it answer with errors, or no more.
    pub fn fail(&self, failing: bool) {
        self.state.failing.store(failing, Ordering::SeqCst);
    }

    /// How often it was asked to describe itself.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
