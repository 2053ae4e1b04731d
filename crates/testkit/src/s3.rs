//! This file's job is to run a real S3 server inside the test process, on a free port, over a temporary folder.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// An S3 server with one empty bucket. Stops when it is dropped.
pub struct TestS3 {
    folder: TempDir,
    address: SocketAddr,
    certificate: Option<PathBuf>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestS3 {
    /// The name of the bucket.
    pub const BUCKET: &'static str = "aloft-test";
    /// The key that requests are signed with.
    pub const ACCESS_KEY: &'static str = "AKIDTESTTESTTEST";
    /// The secret of the key.
    pub const SECRET_KEY: &'static str = "test-secret-test-secret-test-secret";

    /// Starts the server on a thread and runtime of its own, so that it serves any kind of test.
    ///
    /// # Panics
    /// When the server cannot start: no test can go on without it.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), None)
    }

    /// Starts a server that speaks TLS only, with a certificate that nobody knows.
    ///
    /// # Panics
    /// When the server cannot start.
    #[must_use]
    pub fn start_with_tls() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let path = folder.path().join("certificate.pem");
        std::fs::write(&path, made.cert.pem()).expect("a file for the certificate");
        let key = made.signing_key.serialize_der().try_into().expect("a key in PKCS #8");
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions that ring can do")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a key that fits the certificate");
        Self::start_in(folder, Some((TlsAcceptor::from(Arc::new(config)), path)))
    }

    fn start_in(folder: TempDir, tls: Option<(TlsAcceptor, PathBuf)>) -> Self {
        let (acceptor, certificate) = tls.unzip();
        std::fs::create_dir(folder.path().join(Self::BUCKET)).expect("the bucket's folder");
        let files = FileSystem::new(folder.path()).expect("the server's files");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY, Self::SECRET_KEY));
        let service = builder.build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("the port");
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = serve(listener, service, acceptor) => (),
                    _ = stopped => (),
                }
            });
            runtime.shutdown_background();
        });
        Self { folder, address, certificate, stop: Some(stop), thread: Some(thread) }
    }

    /// Returns the URL of the bucket, as the configuration wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("s3://{}?endpoint={}&region=us-east-1", Self::BUCKET, self.endpoint())
    }

    /// Returns the URL of the server itself, for instance `http://127.0.0.1:41234`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Returns the PEM file of the certificate that clients must trust; none without TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// Stops the server now and leaves its files; later requests are refused.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Returns the folder in which the bucket's objects lie as files.
    #[must_use]
    pub fn bucket_folder(&self) -> PathBuf {
        self.folder.path().join(Self::BUCKET)
    }
}

impl Drop for TestS3 {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(listener: std::net::TcpListener, service: S3Service, tls: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("a listener for tokio");
    loop {
        let Ok((stream, _peer)) = listener.accept().await else { continue };
        let (service, tls) = (service.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                // A client that does not trust the certificate goes away.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, service).await;
                    }
                }
                None => answer(stream, service).await,
            }
        });
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S3Service) {
    // A client that goes away is its own business.
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    #[test]
    fn the_server_refuses_strangers_and_stops() {
        let mut server = TestS3::start();
        let address = server.address;
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET /{}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", TestS3::BUCKET);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        server.stop();
        assert!(TcpStream::connect(address).is_err());
    }
}
