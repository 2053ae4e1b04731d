//! This file's job is to take a signed token apart: JWS compact serialization, RFC 7515.

use super::claims::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Tokens of GitHub and GitLab have 1 to 3 KiB.
const TOKEN_MAX_BYTES: usize = 16 << 10;

/// The algorithms that are believed. A token that names another one is refused whatever keys its issuer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<serde_json::Value>,
}

/// A token of which nothing is known to be true.
#[derive(Debug)]
pub struct Unverified<'a> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// The id of the key that it says it is signed with.
    pub key_id: Option<String>,
    /// What it says.
    pub claims: Claims,
    /// What is signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; none when it is not a token that could be believed.
    #[must_use]
    pub fn read(token: &'a str) -> Option<Self> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        Some(Self {
            algorithm: header.alg,
            key_id: header.kid,
            claims: Claims::new(serde_json::from_slice(&decode(claims)?).ok()?),
            signed: signed.as_bytes(),
            signature: decode(signature)?,
        })
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("s"))
    }

    #[test]
    fn only_signed_tokens_with_known_algorithms_are_read() {
        assert!(Unverified::read(&token(r#"{"alg":"RS256","kid":"1","typ":"JWT"}"#)).is_some());
        for bad in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"rs256"}"#,
            r#"{"kid":"1"}"#,
            r#"{"alg":"RS256","crit":["exp"]}"#,
            "",
        ] {
            assert!(Unverified::read(&token(bad)).is_none(), "{bad}");
        }
        for bad in ["", ".", "..", "a.b", "a.b.c.d", &"a".repeat(20_000)] {
            assert!(Unverified::read(bad).is_none(), "{bad}");
        }
    }
}
