//! This file's job is to test what name a request has in its answer.

use crate::client::Answer;
use crate::harness::{NOBODY, World, updates};
use crate::samples;

const NAME: &str = "x-request-id";
const GIVEN: &str = "0191f3c4-6d9b-7cc0-9e5f-2b4a8c1d7e3f";

/// A name that the edge made.
fn is_made(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_a_name_and_no_other_answer_and_no_client_chooses_it() {
    let snapshot = samples::empty(1, 1);
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    let ask = async |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        edge.client.get(path, &[("authorization", &bearer), (NAME, GIVEN)]).await
    };
    let path = updates(&snapshot, "");
    for answer in [ask(&path, &token).await, ask("/healthz", "").await] {
        assert_eq!((answer.status.as_u16(), answer.header(NAME)), (200, ""));
    }
    let blob = format!("/v1/blobs/{}", "0".repeat(64));
    let mut names = Vec::new();
    for path in
        [&path, "/nowhere", "/v1/updates", &blob, "/v1/events", "/v1/expo/x", "/v0.1/public/codepush/update_check"]
    {
        let answer: Answer = ask(path, "x").await;
        assert!(answer.status.is_client_error() && is_made(answer.header(NAME)), "{path}: {}", answer.status);
        names.push(answer.header(NAME).to_owned());
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 7, "no two have the same");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_its_name_comes_back_if_it_is_a_sensible_one() {
    let world = World::new().await;
    let mut config = world.config(NOBODY);
    config.client_address_header = "x-forwarded-for".to_owned();
    let edge = world.start(config).await;
    for path in ["/healthz", "/nowhere", "/v1/blobs/x"] {
        assert_eq!(edge.client.get(path, &[(NAME, GIVEN)]).await.header(NAME), GIVEN, "{path}");
    }
    let long = "x".repeat(65);
    for bad in ["a b", "{}", long.as_str()] {
        assert_eq!(edge.client.get("/healthz", &[(NAME, bad)]).await.header(NAME), "", "{bad}");
        assert!(is_made(edge.client.get("/nowhere", &[(NAME, bad)]).await.header(NAME)), "{bad}");
    }
    edge.stop().await;
}
