//! This file's job is to encrypt connections with the certificate in two files, and to notice when a new one is there.

use crate::durable::{self, blocking};
use arc_swap::ArcSwap;
use domain::Sha256;
use runtime::health::{Component, State};
use runtime::shutdown::Stop;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake needs two round trips; slow clients hold nothing for long.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon a new certificate is shown. Whoever renews certificates does it days before they end.
const RELOAD_EVERY: Duration = Duration::from_secs(5);
/// A chain of ten certificates fits.
const FILE_MAX_BYTES: u64 = 64 << 10;
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// Makes the encrypted side of connections.
#[derive(Clone)]
pub(crate) struct Tls(TlsAcceptor);

/// Where certificate and key are.
#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// The certificate in use.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads both files. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read, is not PEM, or key and certificate do not fit.
    pub(crate) fn open(certificate: &Path, key: &Path) -> io::Result<(Self, Reloader)> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let read = files.read()?;
        let provider = Arc::new(default_provider());
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certified(&read, &provider)?)));
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        // Devices come back every few minutes: a ticket saves them a round trip, and the edge a signature.
        config.ticketer = Ticketer::new().map_err(io::Error::other)?;
        let seen = digests(&read);
        Ok((Self(TlsAcceptor::from(Arc::new(config))), Reloader { files, seen, shown, provider }))
    }

    /// Shakes hands. `None` when the client does not do it, or not in time.
    pub(crate) async fn accept<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I) -> Option<TlsStream<I>> {
        timeout(HANDSHAKE_TIMEOUT, self.0.accept(io)).await.ok()?.ok()
    }
}

/// Says whether client and edge have agreed on HTTP/2.
pub(crate) fn is_http_2<I>(stream: &TlsStream<I>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// Looks for new certificates.
pub(crate) struct Reloader {
    files: Files,
    /// What was last read, good or bad.
    seen: [Sha256; 2],
    shown: Arc<Shown>,
    provider: Arc<CryptoProvider>,
}

impl Reloader {
    /// Runs until it is time to stop. A certificate that cannot be used leaves the one before in use.
    pub(crate) async fn run(mut self, health: Component, stop: Stop) {
        health.set(State::Ready, "the certificate is in use");
        while stop.run_until(tokio::time::sleep(RELOAD_EVERY)).await.is_some() {
            match self.reload().await {
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!("a new certificate is in use");
                    health.set(State::Ready, "a new certificate is in use");
                }
                Err(error) => {
                    tracing::error!(%error, "a new certificate cannot be used");
                    health.set(State::Degraded, &format!("a new certificate cannot be used: {error}"));
                }
            }
        }
    }

    /// Says whether there was something new.
    async fn reload(&mut self) -> io::Result<bool> {
        let files = self.files.clone();
        let read = blocking(move || files.read()).await?;
        let seen = digests(&read);
        if seen == self.seen {
            return Ok(false);
        }
        self.seen = seen;
        self.shown.0.store(Arc::new(certified(&read, &self.provider)?));
        Ok(true)
    }
}

impl Files {
    fn read(&self) -> io::Result<[Vec<u8>; 2]> {
        let read = |path: &Path| {
            let absent = || io::Error::new(io::ErrorKind::NotFound, format!("there is no {}", path.display()));
            durable::read(path, FILE_MAX_BYTES)?.ok_or_else(absent)
        };
        Ok([read(&self.certificate)?, read(&self.key)?])
    }
}

fn digests(read: &[Vec<u8>; 2]) -> [Sha256; 2] {
    read.each_ref().map(|bytes| Sha256::of(bytes))
}

fn certified([certificate, key]: &[Vec<u8>; 2], provider: &CryptoProvider) -> io::Result<CertifiedKey> {
    let wrong = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong(&error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| wrong(&error))
}
