//! This file's job is to check what browsers and probes get over plain HTTP.

use crate::rig::{Rig, Shape};
use prost::Message as _;
use proto::v1;
use reqwest::header::{HeaderMap, HeaderValue};

/// Makes a client that does not speak HTTP/2.
fn browser() -> reqwest::Client {
    // An error means that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().http1_only().build().unwrap()
}

async fn grpc_web(rig: &Rig, key: &str, origin: &'static str) -> (HeaderMap, Vec<u8>) {
    let body = vec![0_u8; 5];
    let answer = browser()
        .post(format!("http://{}/aloft.v1.AccountService/GetCaller", rig.server.address))
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
        .header("origin", origin)
        .header("authorization", format!("Bearer {key}"))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_calls_through_grpc_web() {
    let rig = Rig::new(Shape::Embedded).await;
    let (headers, body) = grpc_web(&rig, &rig.key, "https://ops.example.com").await;
    let size = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    let caller = v1::GetCallerResponse::decode(&body[5..5 + size]).unwrap();
    assert_eq!(caller.role, "owner");
    let trailers = String::from_utf8_lossy(&body[5 + size + 5..]).to_lowercase();
    assert!(body[5 + size] == 0x80 && trailers.contains("grpc-status:0"), "{trailers}");
    let allowed = Some(&HeaderValue::from_static("https://ops.example.com"));
    assert_eq!(headers.get("access-control-allow-origin"), allowed);
    assert!(headers.contains_key("x-request-id"));
    let (headers, _) = grpc_web(&rig, &rig.key, "https://evil.example.com").await;
    assert!(!headers.contains_key("access-control-allow-origin"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_reads_a_refusal_and_may_ask_first() {
    let rig = Rig::new(Shape::Embedded).await;
    let (headers, body) = grpc_web(&rig, "nonsense", "https://ops.example.com").await;
    let text = String::from_utf8_lossy(&body).to_lowercase();
    let status = headers.get("grpc-status").is_some_and(|status| status == "16") || text.contains("grpc-status:16");
    assert!(status, "{headers:?} {text}");
    let preflight = browser()
        .request(reqwest::Method::OPTIONS, format!("http://{}/aloft.v1.AppService/ListApps", rig.server.address))
        .header("origin", "https://ops.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,x-grpc-web,content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("x-grpc-web"), "{allowed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_and_lost_browsers_get_plain_answers() {
    let rig = Rig::new(Shape::Embedded).await;
    let url = |path: &str| format!("http://{}{path}", rig.server.address);
    testkit::wait_until_async(crate::rig::PATIENCE, async || {
        browser().get(url("/healthz")).send().await.unwrap().status() == 200
    })
    .await;
    let health: serde_json::Value = browser().get(url("/healthz")).send().await.unwrap().json().await.unwrap();
    assert_eq!(health["parts"][0]["state"], "ready");
    assert_eq!(browser().get(url("/nowhere")).send().await.unwrap().status(), 404);
    let kept = browser().get(url("/nowhere")).header("x-request-id", "mine-1").send().await.unwrap();
    assert_eq!(kept.headers()["x-request-id"], "mine-1");
}
