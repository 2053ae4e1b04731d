//! This file's job is to sign what Expo clients are told of a release, with a key that never leaves this machine.

use super::publishing::Publication;
use crate::connection::Connection;
use crate::error::Error;
use domain::expo::UpdateId;
use domain::id::ReleaseId;
use proto::v1;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How updates for Expo clients are signed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Signing {
    /// Sign what Expo clients are told with this RSA key, a file in PEM. It stays on this machine.
    #[arg(long, value_name = "FILE", env = "ALOFT_EXPO_PRIVATE_KEY_PATH")]
    pub private_key_path: Option<PathBuf>,
    /// The name of the key in the app's configuration; "main" when not given.
    #[arg(long, value_name = "NAME", requires = "private_key_path")]
    pub key_id: Option<String>,
    /// Certificates between the key and the one in the app, leaf first, in PEM.
    #[arg(long, value_name = "FILE", requires = "private_key_path")]
    pub certificate_chain_path: Option<PathBuf>,
}

impl Signing {
    /// Says whether something is to be signed.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.private_key_path.is_some()
    }

    /// Reads the key; none when nothing is to be signed.
    pub fn signer(&self) -> Result<Option<Signer>, Error> {
        let Some(path) = &self.private_key_path else { return Ok(None) };
        let chain = self.certificate_chain_path.as_deref().map(read).transpose()?.unwrap_or_default();
        let chain = String::from_utf8(chain).map_err(|_| Error::Usage("the certificates are no PEM".to_owned()))?;
        Signer::new(&read(path)?, self.key_id.clone().unwrap_or_default(), chain).map(Some)
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::file(path, source))
}

/// The owner's key.
pub struct Signer {
    key: RsaKeyPair,
    key_id: String,
    certificate_chain: String,
}

impl Signer {
    /// Reads a key in PEM, as Expo's tools and OpenSSL write it.
    pub fn new(pem: &[u8], key_id: String, certificate_chain: String) -> Result<Self, Error> {
        let wrong = |cause: &dyn std::fmt::Display| Error::Usage(format!("--private-key-path: {cause}"));
        let key = match PrivateKeyDer::from_pem_slice(pem).map_err(|error| wrong(&error))? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(wrong(&"clients take RSA keys only")),
        };
        Ok(Self { key: key.map_err(|error| wrong(&error))?, key_id, certificate_chain })
    }

    /// Signs what clients are told of a new release, after checking that the server froze what was published; then it is offered.
    pub async fn sign(
        &self,
        connection: &Connection,
        release: v1::Release,
        published: Option<&Publication>,
        keep_disabled: bool,
    ) -> Result<v1::Release, Error> {
        let request = v1::GetExpoUpdateRequest { name: release.name.clone() };
        let update = connection.answer(connection.releases().get_expo_update(request).await)?;
        check(&release, &update, published).map_err(Error::Answer)?;
        let request = v1::SignExpoUpdateRequest {
            name: release.name,
            signature: self.signature(update.body.as_bytes())?.into(),
            key_id: self.key_id.clone(),
            certificate_chain: self.certificate_chain.clone(),
            keep_disabled,
        };
        let answer = connection.answer(connection.releases().sign_expo_update(request).await)?;
        answer.release.ok_or_else(|| Error::missing("the release"))
    }

    /// Signs bytes: RSA, PKCS #1 version 1.5, SHA-256.
    pub(super) fn signature(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature);
        signed.map_err(|_| Error::Usage("--private-key-path: the key cannot sign".to_owned()))?;
        Ok(signature)
    }
}

/// Nobody signs what they have not read: the server could have put anything into the body.
fn check(
    release: &v1::Release,
    update: &v1::GetExpoUpdateResponse,
    published: Option<&Publication>,
) -> Result<(), String> {
    let id: ReleaseId = release.release_id.parse().map_err(|_| "the release has no id".to_owned())?;
    let body: Value = serde_json::from_str(&update.body).map_err(|error| format!("what is to be signed: {error}"))?;
    let is =
        |what: &str, fits: bool| if fits { Ok(()) } else { Err(format!("what is to be signed has another {what}")) };
    if release.bundle.is_empty() {
        let date = domain::expo::date_text(update.committed_at_ms);
        let expected = serde_json::json!({"type": "rollBackToEmbedded", "parameters": {"commitTime": date}});
        return is("directive", body == expected);
    }
    is("id", body["id"] == UpdateId::from(&id).to_string())?;
    let Some(published) = published else { return Ok(()) };
    is("launch file", body["launchAsset"]["key"] == published.wire.launch_key.as_str())?;
    is("files", hashes(&body) == published.hashes)?;
    let config = serde_json::from_str(&published.wire.config_json).unwrap_or(Value::Null);
    is("configuration", body["extra"]["expoClient"] == config)
}

/// Returns key and hash of every file that a manifest names.
fn hashes(body: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = std::iter::once(&body["launchAsset"]).chain(body["assets"].as_array().into_iter().flatten());
    files.map(|file| (text(&file["key"]), text(&file["hash"]))).collect()
}
