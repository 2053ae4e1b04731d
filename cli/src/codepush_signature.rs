//! This file's job is to sign packages as CodePush's own command lines do, so that apps with a public key take them.
//!
//! The signature is a file of the bundle: a JWT (RS256) with the hash of the package. The server never needs the key.

use crate::error::Error;
use crate::source::Found;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bundle::Layout;
use domain::Sha256;
use domain::codepush::{SIGNATURE_FILE, package_hash};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use runtime::clock::Clock;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use std::path::Path;

/// What clients know.
const CLAIM_VERSION: &str = "1.0.0";
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;
const US_PER_S: i64 = 1_000_000;

/// What is signed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    claim_version: &'static str,
    content_hash: Sha256,
    iat: i64,
}

/// A private key.
pub struct Signer(RsaKeyPair);

impl Signer {
    /// Reads an RSA key in PEM, PKCS #1 or PKCS #8.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |why: String| Error::Usage(format!("--codepush-private-key {}: {why}", path.display()));
        let key = PrivateKeyDer::from_pem_file(path).map_err(|error| refuse(error.to_string()))?;
        let pair = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(refuse("it is no RSA key".to_owned())),
        };
        pair.map(Self).map_err(|error| refuse(format!("it is no RSA key that can sign: {error}")))
    }

    /// Adds the signature to what was found, in the place of an earlier one.
    pub fn sign(&self, found: Found) -> Result<Found, Error> {
        if found.detected.layout != Layout::Folder {
            return Err(Error::Usage(
                "--codepush-private-key is for bundles with their assets, not for Expo".to_owned(),
            ));
        }
        let token = self.token(package_hash(&found.detected.files))?;
        found.with_file(SIGNATURE_FILE, token.as_bytes())
    }

    fn token(&self, content_hash: Sha256) -> Result<String, Error> {
        let iat = Clock::system().now().as_us() / US_PER_S;
        let claims = Claims { claim_version: CLAIM_VERSION, content_hash, iat };
        let broken = |_| Error::Answer("the signature could not be made".to_owned());
        let claims = serde_json::to_vec(&claims).map_err(|error| Error::Answer(error.to_string()))?;
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(broken)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        for path in [path, folder.path().join("absent.pem")] {
            let error = Signer::read(&path).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("--codepush-private-key") && error.contains(".pem"), "{error}");
        }
    }
}
