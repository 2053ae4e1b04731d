//! This file's job is to sign what Expo clients are told with an app's key that is kept here, sealed.
//!
//! Only owners who choose so keep it here. The key is opened for one signature and never leaves this process.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::{DbConn, Scope};
use domain::id::AppId;
use domain::{Environment, ErrorKind};
use proto::v1::Reason;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use runtime::vault::{Sealed, Vault};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// The only algorithm that clients know.
const ALGORITHM: &str = "rsa-v1_5-sha256";
/// Names of keys are short words.
const KEY_ID_MAX_BYTES: usize = 64;
/// A signature takes as many bytes as its key; more than 4,096 bits would take longer to sign than anybody waits for in a transaction.
pub const SIGNATURE_MAX_BYTES: usize = 512;
/// Where a key begins.
const BEGIN: &[u8] = b"-----BEGIN ";

/// An RSA key.
struct SigningKey(RsaKeyPair);

impl SigningKey {
    fn read(pem: &[u8]) -> Option<Self> {
        let is_alone = pem.windows(BEGIN.len()).filter(|window| *window == BEGIN).count() == 1;
        let key = match PrivateKeyDer::from_pem_slice(pem).ok().filter(|_| is_alone)? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return None,
        };
        key.ok().filter(|key| key.public().modulus_len() <= SIGNATURE_MAX_BYTES).map(Self)
    }

    fn sign(&self, body: &str) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body.as_bytes(), &mut signature).ok()?;
        Some(signature)
    }
}

/// Checks a key before it is sealed.
///
/// # Errors
/// Invalid argument that names `secret` or `display_name`, which says how apps call the key.
pub fn check(pem: &[u8], key_id: &str) -> Result<()> {
    check_key_id("display_name", key_id)?;
    match SigningKey::read(pem) {
        Some(_) => Ok(()),
        None => Err(Error::field("secret", "must be one RSA key of 2048 to 4096 bits in PEM, and nothing else")),
    }
}

/// Checks how apps call a key.
///
/// # Errors
/// Invalid argument that names the field.
pub fn check_key_id(field: &'static str, key_id: &str) -> Result<()> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=KEY_ID_MAX_BYTES).contains(&key_id.len()) && key_id.bytes().all(is_word) {
        Ok(())
    } else {
        Err(Error::field(field, "must be 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.'"))
    }
}

/// Writes the value of the header `expo-signature`.
#[must_use]
pub fn header(signature: &[u8], key_id: &str) -> String {
    format!("sig=\"{}\", keyid=\"{key_id}\", alg=\"{ALGORITHM}\"", STANDARD.encode(signature))
}

/// Signs a body that clients of the app are told; none when no key of the app is kept here, or when the channel is for tests: who may
/// publish only there gets no signature that real devices believe.
///
/// # Errors
/// Failed precondition when the key cannot be opened: better nothing is published than something without the signature that devices expect.
pub fn sign(
    conn: &mut DbConn,
    scope: &Scope,
    vault: &Vault,
    (app, environment): (&AppId, Environment),
    body: &str,
) -> Result<Option<String>> {
    if environment != Environment::Live {
        return Ok(None);
    }
    let Some(row) = db::credentials::find_signing_key(conn, scope, app)? else { return Ok(None) };
    let sealed = Sealed { master_key: row.master_key, bytes: row.sealed_secret };
    let opened = vault.open(row.id.as_str(), &sealed).map_err(|error| {
        tracing::error!(credential = %row.id, cause = %error, "a signing key cannot be opened");
        lost()
    })?;
    let signature = SigningKey::read(&opened).and_then(|key| key.sign(body)).ok_or_else(lost)?;
    Ok(Some(header(&signature, &row.name)))
}

fn lost() -> Error {
    let message = "the app's signing key cannot be opened, so nothing was published: store it anew";
    Error::refused(ErrorKind::FailedPrecondition, Reason::SigningKeyLost, message)
}
