//! This file's job is to test how devices come in: over TLS, HTTP/2, and through load balancers.

use crate::harness::{NOBODY, World, until};
use bytes::Bytes;
use edge_proxy::Config;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const NAME: &str = "updates.example.org";

/// Writes a new certificate and its key to the folder.
pub fn certify(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), KeyPair::serialize_pem(&signing_key)).unwrap();
    std::fs::write(folder.join("certificate.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

pub fn with_tls(mut config: Config, folder: &Path) -> Config {
    config.tls_certificate = folder.join("certificate.pem");
    config.tls_key = folder.join("key.pem");
    config
}

/// Connects as a client that trusts this certificate only.
pub async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    alpn: &[u8],
) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME).unwrap(), stream).await.ok()
}

/// Waits for what takes some seconds.
pub async fn soon(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn exchange(mut stream: impl AsyncReadWrite, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

trait AsyncReadWrite: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> AsyncReadWrite for T {}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn devices_speak_either_version_of_http_over_tls_and_nothing_in_clear() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let certificate = certify(folder.path());
    let edge = world.start(with_tls(world.config(NOBODY), folder.path())).await;

    let stream = connect(edge.client.address, &certificate, b"http/1.1").await.unwrap();
    assert!(exchange(stream, HEALTH).await.starts_with("HTTP/1.1 200"));

    let stream = connect(edge.client.address, &certificate, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let running = tokio::spawn(connection);
    for (path, status) in [("/healthz", StatusCode::OK), ("/v1/updates", StatusCode::BAD_REQUEST)] {
        let request = Request::get(format!("https://{NAME}{path}")).body(Empty::<Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!((answer.status(), answer.version()), (status, Version::HTTP_2));
        assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
    drop(sender);
    running.await.unwrap().unwrap();

    assert!(!exchange(TcpStream::connect(edge.client.address).await.unwrap(), HEALTH).await.contains("200"));
    until("the failed handshake is counted", || edge.metric("aloft_edge_tls_handshakes_failed_total") == 1).await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_and_one_that_cannot_be_used_is_not() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let old = certify(folder.path());
    let edge = world.start(with_tls(world.config(NOBODY), folder.path())).await;
    assert!(connect(edge.client.address, &old, b"h2").await.is_some());

    std::fs::write(folder.path().join("certificate.pem"), "no certificate").unwrap();
    let parts = async || edge.admin.get("/statusz", &[]).await.json()["parts"].to_string();
    soon("the bad one is noticed", async || parts().await.contains("cannot be used")).await;
    assert!(connect(edge.client.address, &old, b"h2").await.is_some());

    let new = certify(folder.path());
    soon("the new one is shown", async || connect(edge.client.address, &new, b"h2").await.is_some()).await;
    assert!(connect(edge.client.address, &old, b"h2").await.is_none());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_fit_keeps_the_edge_from_starting() {
    let (world, folder, other) = (World::new().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certify(folder.path());
    certify(other.path());
    let mut config = with_tls(world.config(NOBODY), folder.path());
    config.tls_key = other.path().join("key.pem");
    let error = world.try_start(config).await.err().unwrap();
    assert_eq!(error.kind(), domain::ErrorKind::InvalidArgument, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_says_who_has_connected_and_nobody_comes_past_it() {
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.proxy_protocol = true;
    config.connections_per_address_max = 1;
    let edge = world.start(config).await;
    let from = async |address: &str| {
        let header = format!("PROXY TCP4 {address} 198.51.100.1 5000 443\r\n");
        let mut stream = TcpStream::connect(edge.client.address).await.unwrap();
        stream.write_all(header.as_bytes()).await.unwrap();
        stream
    };
    let held = from("192.0.2.1").await;
    until("the first is held", || edge.metric("aloft_edge_connections") == 1).await;
    assert!(exchange(from("192.0.2.2").await, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert_eq!(exchange(from("192.0.2.1").await, HEALTH).await, "");
    assert_eq!(exchange(TcpStream::connect(edge.client.address).await.unwrap(), HEALTH).await, "");
    drop(held);
    edge.stop().await;
}
