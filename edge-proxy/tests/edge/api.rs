//! This file's job is to test the API port: what passes, to whom, how often, and what the control plane is told of the client.

use crate::client::{Answer, Client};
use crate::doors::{certify, connect, soon, with_tls};
use crate::harness::{ANY_PORT, NOBODY, RunningEdge, World, until};
use crate::replica::{Manner, Replica};
use http::Method;
use hyper_util::rt::{TokioExecutor, TokioIo};

const CALL: &str = "/aloft.v1.AppService/GetApp";
const GRPC: (&str, &str) = ("content-type", "application/grpc");
const GRPC_WEB: (&str, &str) = ("content-type", "application/grpc-web+proto");
/// What a status is called on the wire.
const UNIMPLEMENTED: &str = "12";
const RESOURCE_EXHAUSTED: &str = "8";
const UNAVAILABLE: &str = "14";
const NAME: &str = "x-request-id";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Scene {
    edge: RunningEdge,
    _world: World,
}

impl Scene {
    /// Starts an edge before the replicas and waits until it knows how many of them are well.
    async fn new(addresses: &[String], well: u64) -> Self {
        Self::start(addresses, well, "").await
    }

    async fn behind_proxy(addresses: &[String], well: u64) -> Self {
        Self::start(addresses, well, "x-forwarded-for").await
    }

    async fn start(addresses: &[String], well: u64, client_address_header: &str) -> Self {
        let world = World::new().await;
        let mut config = world.config(NOBODY);
        config.client_address_header = client_address_header.to_owned();
        config.api_listen = ANY_PORT.to_string();
        config.api_control_planes = addresses.to_vec();
        let edge = world.start(config).await;
        let is_seen = async || {
            let parts = edge.admin.get("/statusz", &[]).await.json()["parts"].to_string();
            parts.contains(&format!("{well} of {} control-plane replicas answer", addresses.len()))
        };
        soon("the replicas are looked at", is_seen).await;
        Self { edge, _world: world }
    }

    fn http_1(&self) -> Client {
        Client::new(self.edge.api_address.unwrap())
    }

    fn http_2(&self) -> Client {
        Client::http_2(self.edge.api_address.unwrap())
    }
}

async fn call(client: &Client, path: &str) -> Answer {
    client.send(Method::POST, path, &[GRPC, ("te", "trailers")], "request").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_back_with_its_body_and_its_status() {
    let replica = Replica::start(Manner::Answers).await;
    let scene = Scene::new(&[replica.url()], 1).await;
    let answer = call(&scene.http_2(), CALL).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_deref()), (200, Ok(&b"request"[..])));
    assert_eq!(
        (&answer.trailers["grpc-status"], &answer.trailers["grpc-message"]),
        (&"5".parse().unwrap(), &"no such app".parse().unwrap())
    );
    let answer = scene.http_1().send(Method::POST, CALL, &[GRPC_WEB], "request").await;
    assert_eq!(answer.body.as_deref(), Ok(&b"request"[..]));
    let answer = scene.http_1().get("/assets/index.js", &[]).await;
    assert_eq!((answer.status.as_u16(), replica.heard.lock()[2].path.as_str()), (200, "/assets/index.js"));
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_may_have_begun_is_not_sent_again_and_a_harmless_one_is() {
    let (first, second) = (Replica::start(Manner::Breaks).await, Replica::start(Manner::Breaks).await);
    let scene = Scene::new(&[first.url(), second.url()], 2).await;
    let heard = || first.count() + second.count();
    let answer = call(&scene.http_2(), CALL).await;
    assert_eq!((answer.header("grpc-status"), heard()), (UNAVAILABLE, 1));
    // The guard is what keeps it from a second replica: without a change, both are asked.
    let answer = scene.http_1().get("/", &[]).await;
    assert_eq!((answer.status.is_server_error(), heard()), (true, 3));
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_and_ailing_replicas_cost_no_call() {
    let (well, ails) = (Replica::start(Manner::Answers).await, Replica::start(Manner::Ails).await);
    let dead = Replica::start(Manner::Answers).await.url();
    let scene = Scene::new(&[well.url(), ails.url(), dead], 1).await;
    let client = scene.http_2();
    for _ in 0..20 {
        assert_eq!(call(&client, CALL).await.trailers["grpc-status"], "5");
    }
    assert_eq!((well.count(), ails.count()), (20, 0));
    // One that is the last is asked: its word may be old.
    drop(well);
    until("the replica is missed", || scene.edge.metric("aloft_edge_api_replicas") == 0).await;
    assert_eq!(call(&client, CALL).await.trailers["grpc-status"], "5");
    assert_eq!(ails.count(), 1);
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_control_plane_clients_are_told_so_in_their_own_words() {
    let scene = Scene::new(&[NOBODY.to_owned()], 0).await;
    let answer = call(&scene.http_2(), CALL).await;
    assert_eq!((answer.status.as_u16(), answer.header("grpc-status")), (200, UNAVAILABLE));
    let answer = scene.http_1().send(Method::POST, CALL, &[GRPC_WEB], "request").await;
    assert_eq!((answer.header("content-type"), answer.header("grpc-status")), (GRPC_WEB.1, UNAVAILABLE));
    let answer = scene.http_1().get("/", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (503, "no-store"));
    assert_eq!(scene.edge.client.get("/healthz", &[]).await.status.as_u16(), 200, "devices are served");
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_is_told_where_a_call_came_from_and_no_client_makes_that_up() {
    let replica = Replica::start(Manner::Answers).await;
    let scene = Scene::new(&[replica.url()], 1).await;
    let made_up = [("x-real-ip", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2"), ("forwarded", "for=192.0.2.3")];
    let headers = [&made_up[..], &[("host", "aloft.example.com"), ("traceparent", TRACE), (NAME, "mine-1")]].concat();
    scene.http_1().get("/", &headers).await;
    {
        let heard = replica.heard.lock();
        let headers = &heard[0].headers;
        assert_eq!(
            (&headers["x-real-ip"], &headers["x-forwarded-for"]),
            (&"127.0.0.1".parse().unwrap(), &"127.0.0.1".parse().unwrap())
        );
        assert!(!headers.contains_key("forwarded") && headers["x-request-id"].len() == 16, "{headers:?}");
        assert_eq!((heard[0].host.as_str(), &headers["traceparent"]), ("aloft.example.com", &TRACE.parse().unwrap()));
    }
    let malformed = [("traceparent", "00-1-2-01"), ("tracestate", "of=the-other")];
    scene.http_1().get("/", &malformed).await;
    {
        let heard = replica.heard.lock();
        assert!(malformed.iter().all(|(name, _)| !heard[1].headers.contains_key(*name)), "{:?}", heard[1].headers);
    }
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_and_control_plane_are_told_the_same_name_of_every_call() {
    let replica = Replica::start(Manner::Answers).await;
    let scene = Scene::new(&[replica.url()], 1).await;
    let (http_1, http_2) = (scene.http_1(), scene.http_2());
    let answers = [call(&http_2, CALL).await, http_1.get("/", &[(NAME, "mine-1")]).await];
    for (answer, heard) in answers.iter().zip(replica.heard.lock().iter()) {
        let name = answer.header(NAME);
        assert_eq!((name.len(), heard.headers[NAME].as_bytes()), (16, name.as_bytes()));
    }
    // So are those of whom the control plane never hears.
    for refused in [call(&http_2, "/other.v1.Service/Call").await, http_1.get("/healthz", &[(NAME, "mine-1")]).await] {
        assert_eq!(refused.header(NAME).len(), 16);
    }
    scene.edge.stop().await;

    let scene = Scene::behind_proxy(&[replica.url()], 1).await;
    for path in ["/", "/healthz"] {
        assert_eq!(scene.http_1().get(path, &[(NAME, "mine-1")]).await.header(NAME), "mine-1", "{path}");
    }
    assert_eq!(replica.heard.lock()[2].headers[NAME], "mine-1");
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_the_control_plane_does_not_reach_it() {
    let replica = Replica::start(Manner::Answers).await;
    let scene = Scene::new(&[replica.url()], 1).await;
    let (http_1, http_2) = (scene.http_1(), scene.http_2());
    for path in ["/aloft.v1.EdgeService/Sync", "/other.v1.Service/Call"] {
        assert_eq!(call(&http_2, path).await.header("grpc-status"), UNIMPLEMENTED);
    }
    assert_eq!(http_1.get("/healthz", &[]).await.status.as_u16(), 404);
    assert_eq!(http_1.send(Method::DELETE, "/", &[], "").await.status.as_u16(), 405);
    let padding = "x".repeat(40_000);
    assert_eq!(http_1.get("/", &[("x-padding", padding.as_str())]).await.status.as_u16(), 431);
    let large = vec![0_u8; 7 << 20];
    let answer = http_2.send(Method::POST, CALL, &[GRPC_WEB], large.clone()).await;
    assert_eq!(answer.header("grpc-status"), RESOURCE_EXHAUSTED);
    assert_eq!(replica.count(), 0);
    // A program's upload passes, whatever its size.
    let answer = http_2.send(Method::POST, CALL, &[GRPC], large.clone()).await;
    assert_eq!(
        (answer.body.map(|body| body.len()), replica.heard.lock()[0].body_bytes),
        (Ok(large.len()), large.len())
    );
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_codepush_s_management_clients_change_passes_once_and_of_any_size() {
    let replica = Replica::start(Manner::Answers).await;
    let scene = Scene::new(&[replica.url()], 1).await;
    let (http_1, form) = (scene.http_1(), ("content-type", "multipart/form-data; boundary=edge"));
    let (path, package) = ("/codepush/apps/Shop-iOS/deployments/Staging/release", vec![0_u8; 7 << 20]);
    let answer = http_1.send(Method::POST, path, &[form], package.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.body.map(|body| body.len())), (200, Ok(package.len())));
    for method in [Method::PATCH, Method::DELETE] {
        assert_eq!(http_1.send(method, "/codepush/apps/Shop-iOS", &[], "{}").await.status.as_u16(), 200);
    }
    assert_eq!(replica.count(), 3);
    // Elsewhere a body has a bound, and nothing but calls is written.
    let answer = scene.http_2().send(Method::POST, CALL, &[GRPC_WEB], package).await;
    assert_eq!(answer.header("grpc-status"), RESOURCE_EXHAUSTED);
    assert_eq!(http_1.send(Method::POST, "/codepus/apps", &[], "{}").await.status.as_u16(), 405);
    assert_eq!(replica.count(), 3);
    scene.edge.stop().await;

    let (first, second) = (Replica::start(Manner::Breaks).await, Replica::start(Manner::Breaks).await);
    let scene = Scene::new(&[first.url(), second.url()], 2).await;
    let answer = scene.http_1().send(Method::POST, path, &[form], "package").await;
    assert_eq!((answer.status.as_u16(), first.count() + second.count()), (502, 1), "it may have begun");
    scene.edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_call_over_tls() {
    let (replica, folder) = (Replica::start(Manner::Answers).await, tempfile::tempdir().unwrap());
    let world = World::new().await;
    let certificate = certify(folder.path());
    let mut config = with_tls(world.config(NOBODY), folder.path());
    config.api_listen = ANY_PORT.to_string();
    config.api_control_planes = vec![replica.url()];
    let edge = world.start(config).await;
    until("the replica is known", || edge.metric("aloft_edge_api_replicas") == 1).await;
    let stream = connect(edge.api_address.unwrap(), &certificate, b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let running = tokio::spawn(connection);
    let request = http::Request::post(format!("https://updates.example.org{CALL}")).header(GRPC.0, GRPC.1);
    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"request"));
    let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), replica.heard.lock()[0].host.as_str()), (200, "updates.example.org"));
    drop((sender, answer));
    edge.stop().await;
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_clients_are_cut_off() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let replica = Replica::start(Manner::Answers).await;
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.api_listen = ANY_PORT.to_string();
    config.api_control_planes = vec![replica.url()];
    config.idle_timeout_s = 1;
    let edge = world.start(config).await;
    for begin in
        [&b""[..], b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"]
    {
        let mut stream = tokio::net::TcpStream::connect(edge.api_address.unwrap()).await.unwrap();
        stream.write_all(begin).await.unwrap();
        let closed =
            tokio::time::timeout(std::time::Duration::from_secs(60), stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "still open after {begin:?}");
    }
    until("nobody is left", || edge.metric("aloft_edge_api_connections") == 0).await;
    edge.stop().await;
}
