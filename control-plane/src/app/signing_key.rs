//! This file's job is to sign what Expo clients are told with an app's key that is kept here, sealed.
//!
//! Only owners who choose so keep it here. The key is opened for one signature and never leaves this process.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::{DbConn, Scope};
use domain::expo::CERTIFICATE_CHAIN_MAX_BYTES;
use domain::id::AppId;
use domain::{Environment, ErrorKind};
use proto::v1::Reason;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use runtime::vault::{Sealed, Vault};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;

/// The only algorithm that clients know.
const ALGORITHM: &str = "rsa-v1_5-sha256";
/// Names of keys are short words.
const KEY_ID_MAX_BYTES: usize = 64;
/// A signature takes as many bytes as its key; more than 4,096 bits would take longer to sign than anybody waits for in a transaction.
pub const SIGNATURE_MAX_BYTES: usize = 512;
/// Where a key or a certificate begins.
const BEGIN: &str = "-----BEGIN ";
/// Where a certificate begins.
const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// An RSA key, and the certificates between it and the one in the app.
struct SigningKey {
    key: RsaKeyPair,
    certificate_chain: String,
}

/// What clients are told of who signed.
#[derive(Debug, Default)]
pub struct Signed {
    /// The value of the header `expo-signature`; empty when nobody signed.
    pub signature: String,
    /// Certificates in PEM, leaf first; may be empty.
    pub certificate_chain: String,
}

impl SigningKey {
    /// Reads a key with its certificates behind it, leaf first. None unless there is just that, and the first certificate is the key's.
    fn read(pem: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        let (key, chain) = text.split_at(text.find(BEGIN_CERTIFICATE).unwrap_or(text.len()));
        let key = match PrivateKeyDer::from_pem_slice(key.as_bytes()).ok().filter(|_| is_alone(key))? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return None,
        };
        let key = key.ok().filter(|key| key.public().modulus_len() <= SIGNATURE_MAX_BYTES)?;
        let fits = chain.is_empty() || (is_chain(chain) && is_of(&key, chain)?);
        fits.then(|| Self { key, certificate_chain: chain.to_owned() })
    }

    fn sign(&self, body: &str) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body.as_bytes(), &mut signature).ok()?;
        Some(signature)
    }
}

fn is_alone(pem: &str) -> bool {
    pem.matches(BEGIN).count() == 1
}

/// Says whether the first certificate is the key's. None when one of them cannot be read.
fn is_of(key: &RsaKeyPair, chain: &str) -> Option<bool> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().ok()?;
    let parsed: Vec<_> = chain.iter().map(ParsedCertificate::try_from).collect::<Result<_, _>>().ok()?;
    // What a certificate says of its key ends with the key.
    Some(parsed.first()?.subject_public_key_info().ends_with(key.public().as_ref()))
}

/// Says whether a text can be certificates in PEM.
fn is_chain(text: &str) -> bool {
    let is_pem =
        text.starts_with(BEGIN_CERTIFICATE) && text.matches(BEGIN).count() == text.matches(BEGIN_CERTIFICATE).count();
    let is_text = text.bytes().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n'));
    is_pem && is_text && text.len() <= CERTIFICATE_CHAIN_MAX_BYTES
}

/// Checks the certificates that come with a signature; there may be none.
///
/// # Errors
/// Invalid argument that names the field.
pub fn check_chain(field: &'static str, text: &str) -> Result<()> {
    if text.is_empty() || is_chain(text) {
        Ok(())
    } else {
        Err(Error::field(field, "must be certificates in PEM, at most 16 KiB"))
    }
}

/// What a secret of this kind is.
const SECRET_RULE: &str = "must be one RSA key of 2048 to 4096 bits in PEM, alone or followed by certificates of which the first is the key's";

/// Checks a key before it is sealed.
///
/// # Errors
/// Invalid argument that names `secret` or `display_name`, which says how apps call the key.
pub fn check(pem: &[u8], key_id: &str) -> Result<()> {
    check_key_id("display_name", key_id)?;
    match SigningKey::read(pem) {
        Some(_) => Ok(()),
        None => Err(Error::field("secret", SECRET_RULE)),
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

/// Signs a body that clients of the app are told; not when no key of the app is kept here, or when the channel is for tests: who may
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
) -> Result<Signed> {
    if environment != Environment::Live {
        return Ok(Signed::default());
    }
    let Some(row) = db::credentials::find_signing_key(conn, scope, app)? else { return Ok(Signed::default()) };
    let sealed = Sealed { master_key: row.master_key, bytes: row.sealed_secret };
    let opened = vault.open(row.id.as_str(), &sealed).map_err(|error| {
        tracing::error!(credential = %row.id, cause = %error, "a signing key cannot be opened");
        lost()
    })?;
    let key = SigningKey::read(&opened).ok_or_else(lost)?;
    let signature = header(&key.sign(body).ok_or_else(lost)?, &row.name);
    Ok(Signed { signature, certificate_chain: key.certificate_chain })
}

fn lost() -> Error {
    let message = "the app's signing key cannot be opened, so nothing was published: store it anew";
    Error::refused(ErrorKind::FailedPrecondition, Reason::SigningKeyLost, message)
}
