//! This file's job is to check what is said of the edges that a release has come to.

use crate::edges::{Edge, key};
use crate::on_both_databases;
use crate::rig::{PATIENCE, Rig, with};
use proto::v1;
use proto::v1::sync_request::Message as FromEdge;
use testkit::wait_until_async;

on_both_databases!(
    a_release_is_live_where_edges_say_so,
    an_edge_that_comes_back_with_a_release_counts,
    nothing_is_told_of_edges_that_serve_others,
);

async fn say(edge: &Edge, message: FromEdge) {
    edge.to.send(v1::SyncRequest { message: Some(message) }).await.unwrap();
}

async fn take(edge: &mut Edge) -> v1::SyncSnapshot {
    let (wire, _) = edge.snapshot().await;
    let (key, version, digest) = (wire.key.clone(), wire.version, wire.digest.clone());
    say(edge, FromEdge::Ack(v1::SyncAck { key, version, digest })).await;
    wire
}

async fn reach(rig: &Rig, release: &str) -> v1::ReleaseReach {
    let request = v1::GetReleaseRequest { name: release.to_owned() };
    rig.releases().get_release(rig.ask(request)).await.unwrap().into_inner().reach.unwrap()
}

/// Waits until the release is live, and refused, on so many edges of so many.
async fn until(rig: &Rig, release: &str, live: u32, refused: u32, edges: u32) {
    wait_until_async(PATIENCE, async || {
        let reach = reach(rig, release).await;
        (reach.live, reach.refused, reach.edges) == (live, refused, edges)
    })
    .await;
}

async fn a_release_is_live_where_edges_say_so(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let bundle = rig.bundle(&app, "one").await;
    let release = rig.publish(&channel, &bundle).await;
    assert_eq!(reach(&rig, &release.name).await, v1::ReleaseReach::default());

    let mut edges = [Edge::connect(&rig, Vec::new()).await, Edge::connect(&rig, Vec::new()).await];
    let mut wire = v1::SyncSnapshot::default();
    for edge in &mut edges {
        edge.want(&key(&app, "production")).await;
        wire = take(edge).await;
    }
    until(&rig, &release.name, 2, 0, 2).await;

    assert_eq!(reach(&rig, &release.name).await.ready, 0);
    let (key, version) = (wire.key, wire.version);
    say(&edges[0], FromEdge::Ready(v1::SyncReady { key, version })).await;
    wait_until_async(PATIENCE, async || reach(&rig, &release.name).await.ready == 1).await;

    let newer = rig.publish(&channel, &bundle).await;
    assert_eq!(reach(&rig, &newer.name).await.ready, 0);
    assert_eq!((reach(&rig, &newer.name).await.live, reach(&rig, &release.name).await.live), (0, 2));
    take(&mut edges[0]).await;
    until(&rig, &newer.name, 1, 0, 2).await;
    let (wire, _) = edges[1].snapshot().await;
    let reason = "the disk is full".to_owned();
    say(&edges[1], FromEdge::Nack(v1::SyncNack { key: wire.key, version: wire.version, reason })).await;
    until(&rig, &newer.name, 1, 1, 2).await;
    assert_eq!(reach(&rig, &newer.name).await.refusals, ["the disk is full"]);

    // A release that is changed is not live before the change is.
    let changed = v1::Release { name: newer.name.clone(), mandatory: true, ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["mandatory".to_owned()] });
    let request = v1::UpdateReleaseRequest { release: Some(changed), update_mask, etag: String::new() };
    rig.releases().update_release(rig.ask(request)).await.unwrap();
    assert_eq!(reach(&rig, &newer.name).await.live, 0);
    for edge in &mut edges {
        take(edge).await;
    }
    until(&rig, &newer.name, 2, 0, 2).await;
    assert!(reach(&rig, &newer.name).await.refusals.is_empty());
}

async fn an_edge_that_comes_back_with_a_release_counts(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let mut first = Edge::connect(&rig, Vec::new()).await;
    first.want(&key(&app, "production")).await;
    let wire = take(&mut first).await;
    let have = v1::SyncHave { key: wire.key, version: wire.version, digest: wire.digest, blobs_ready: true };
    let _second = Edge::connect(&rig, vec![have]).await;
    until(&rig, &release.name, 2, 0, 2).await;
    assert_eq!(reach(&rig, &release.name).await.ready, 1);
    let delete = v1::DeleteChannelRequest { name: channel.name, etag: String::new() };
    rig.channels().delete_channel(rig.ask(delete)).await.unwrap();
    let request = v1::GetReleaseRequest { name: release.name };
    assert_eq!(rig.releases().get_release(rig.ask(request)).await.unwrap_err().code(), tonic::Code::NotFound);
}

async fn nothing_is_told_of_edges_that_serve_others(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let (other_app, other_channel) = rig.app("other").await;
    let other = rig.publish(&other_channel, &rig.bundle(&other_app, "two").await).await;
    let mut edge = Edge::connect(&rig, Vec::new()).await;
    edge.want(&key(&app, "production")).await;
    take(&mut edge).await;
    until(&rig, &release.name, 1, 0, 1).await;
    assert_eq!(reach(&rig, &other.name).await, v1::ReleaseReach::default());

    let stranger = rig.organization("strangers").await;
    let (key, _) = rig.key(&stranger, db::Role::Owner).await;
    let request = v1::GetReleaseRequest { name: release.name };
    let refused = rig.releases().get_release(with(&key, request)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
}
