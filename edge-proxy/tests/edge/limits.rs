//! This file's job is to test that no client can hold or fill more than its share.

use crate::client::Client;
use crate::harness::{NOBODY, RunningEdge, World, until};
use bytes::Bytes;
use http::Method;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn lone_edge() -> (World, RunningEdge) {
    let world = World::new().await;
    let edge = world.start(world.config(NOBODY)).await;
    (world, edge)
}

async fn raw(client: &Client, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(client.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_methods_are_matched_exactly() {
    let (_world, edge) = lone_edge().await;
    let get = async |path: &str| edge.client.get(path, &[]).await.status.as_u16();
    assert_eq!(get("/healthz").await, 200);
    for path in ["/", "/v1", "/v1/updates/", "/V1/updates", "/v1//updates", "/v1/devices", "/metrics", "/statusz"] {
        let answer = edge.client.get(path, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["reason"].as_str()),
            (404, Some("path-unknown")),
            "{path}"
        );
    }
    for (method, path, allow) in [
        (Method::POST, "/v1/updates", "GET, HEAD"),
        (Method::GET, "/v1/events", "POST"),
        (Method::PUT, "/v1/devices/register", "POST"),
        (Method::DELETE, "/v1/blobs/x", "GET, HEAD"),
    ] {
        let answer = edge.client.send(method, path, &[], Bytes::new()).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, allow));
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_headers_many_headers_and_nonsense_are_refused() {
    let (_world, edge) = lone_edge().await;
    let head = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let large = raw(&edge.client, format!("{head}x: {}\r\n\r\n", "a".repeat(20_000)).as_bytes()).await;
    assert!(large.starts_with("HTTP/1.1 431"), "{large}");
    let many = raw(&edge.client, format!("{head}{}\r\n", "x: y\r\n".repeat(150)).as_bytes()).await;
    assert!(many.starts_with("HTTP/1.1 431"), "{many}");
    let good = raw(&edge.client, format!("{head}{}\r\n", "x: y\r\n".repeat(90)).as_bytes()).await;
    assert!(good.starts_with("HTTP/1.1 200"), "{good}");
    let nonsense = raw(&edge.client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n").await;
    assert!(nonsense.is_empty() || nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_lie_about_their_length_or_have_none_are_bounded() {
    let (_world, edge) = lone_edge().await;
    let head = "POST /v1/devices/register HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let huge = raw(&edge.client, format!("{head}content-length: 99999999999\r\n\r\n").as_bytes()).await;
    assert!(huge.starts_with("HTTP/1.1 413"), "{huge}");
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000));
    let chunked =
        raw(&edge.client, format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(3)).as_bytes()).await;
    assert!(chunked.starts_with("HTTP/1.1 413"), "{chunked}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_headers_slowly_is_cut_off() {
    let (_world, edge) = lone_edge().await;
    let mut stream = TcpStream::connect(edge.client.address).await.unwrap();
    let began = Instant::now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        // One byte every half second: progress, but never a request.
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = reader.read_to_end(&mut answer) => (),
        () = drip => (),
    }
    let took = began.elapsed();
    assert!(took > Duration::from_secs(8) && took < Duration::from_secs(25), "{took:?}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_connection_is_answered_when_it_asks_again() {
    let (_world, edge) = lone_edge().await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(edge.client.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        held.push(stream);
    }
    // This one has begun another request behind its first one, and never ends it.
    held[0].write_all(&request[..9]).await.unwrap();
    until("two are quiet", || edge.metric("aloft_edge_connections_quiet") == 2).await;
    until("the third is cut off", || edge.metric("aloft_edge_connections") == 2).await;
    let last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for (stream, at) in held[1..].iter_mut().zip([1, last.len() - 1]) {
        let (begun, rest) = last.split_at(at);
        stream.write_all(begun).await.unwrap();
        stream.write_all(rest).await.unwrap();
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).await.unwrap();
        let answers = String::from_utf8_lossy(&answers);
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    }
    until("none is left", || edge.metric("aloft_edge_connections") == 0).await;
    assert_eq!(edge.metric("aloft_edge_connections_quiet"), 0);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed_and_others_go_on() {
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.connections_max = 3;
    let edge = world.start(config).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(edge.client.address).await.unwrap());
    }
    until("three are held", || edge.metric("aloft_edge_connections") == 3).await;
    let mut fourth = TcpStream::connect(edge.client.address).await.unwrap();
    let mut answer = Vec::new();
    let _ = fourth.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    let third = held.last_mut().unwrap();
    third.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    third.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(edge.metric("aloft_edge_connections_refused_total"), 1);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_no_more_than_its_share() {
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.connections_per_address_max = 2;
    let edge = world.start(config).await;
    let held = [
        TcpStream::connect(edge.client.address).await.unwrap(),
        TcpStream::connect(edge.client.address).await.unwrap(),
    ];
    until("two are held", || edge.metric("aloft_edge_connections") == 2).await;
    let mut third = TcpStream::connect(edge.client.address).await.unwrap();
    let mut answer = Vec::new();
    let _ = third.read_to_end(&mut answer).await;
    assert_eq!((answer.len(), edge.metric("aloft_edge_connections_refused_total")), (0, 1));
    drop(held);
    until("there is room again", || edge.metric("aloft_edge_connections") == 0).await;
    assert_eq!(edge.client.get("/healthz", &[]).await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_takes_less_than_five_seconds_with_idle_connections_open() {
    let (_world, edge) = lone_edge().await;
    let mut idle = TcpStream::connect(edge.client.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    let began = Instant::now();
    edge.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_metrics_and_status() {
    let (_world, edge) = lone_edge().await;
    edge.client.get("/healthz", &[]).await;
    let metrics = edge.admin.get("/metrics", &[]).await;
    assert_eq!(
        metrics.header("connection"),
        "close",
        "a connection that is kept would be cut one day, in the middle of a request"
    );
    let text = String::from_utf8(metrics.body.unwrap().to_vec()).unwrap();
    assert!(text.contains("aloft_edge_requests_total{route=\"health\",status=\"2xx\"} 1"), "{text}");
    let status = edge.admin.get("/statusz", &[]).await.json();
    assert_eq!(status["fresh"], false);
    assert_eq!(status["parts"].as_array().unwrap().len(), 5);
    assert_eq!(edge.admin.send(Method::POST, "/statusz", &[], Bytes::new()).await.status, 405);
    edge.stop().await;
}
