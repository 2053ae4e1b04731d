//! This file's job is to test where an edge gets blobs from, and what it does when a place fails.

use crate::faulty::{Fault, Faulty};
use crate::harness::{ANY_PORT, NOBODY, RunningEdge, World, stored};
use crate::samples;
use bytes::Bytes;
use domain::Sha256;
use domain::snapshot::ChannelSnapshot;
use edge_proxy::BlobOrigin;

const MIB: usize = 1 << 20;

fn asked(edge: &RunningEdge, origin: &str, result: &str) -> u64 {
    edge.metric(&format!("aloft_edge_origin_requests_total{{origin=\"{origin}\",result=\"{result}\"}}"))
}

/// A world with a channel whose launch file has two chunks and more.
async fn world() -> (World, ChannelSnapshot, Bytes, Sha256) {
    let (world, launch) = (World::new().await, samples::noise(2 * MIB + 17, 42));
    let snapshot = stored(&world, 1, 1, &launch).await;
    let hash = samples::launch_hash(&snapshot);
    world.control_plane.publish(&snapshot).await;
    (world, snapshot, launch, hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_without_a_store_reads_blobs_through_the_control_plane() {
    let (world, snapshot, launch, hash) = world().await;
    let server = world.control_plane.run(ANY_PORT).await;
    let mut config = world.config(&format!("http://{}", server.address));
    config.blob_origin = BlobOrigin::ControlPlane;
    let edge = world.start(config).await;
    edge.token(&snapshot).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    assert_eq!(asked(&edge, "control-plane", "good"), 3);
    edge.stop().await;
}

/// Starts an edge whose parent is at the address.
async fn child_of(world: &World, address: std::net::SocketAddr, control_plane: &str) -> RunningEdge {
    let mut config = world.config(control_plane);
    config.parent = format!("http://{address}");
    world.start(config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_fetches_once_for_all_its_children_and_follows_what_they_ask_for() {
    let (far, snapshot, launch, hash) = world().await;
    let server = far.control_plane.run(ANY_PORT).await;
    let url = format!("http://{}", server.address);
    let parent = far.start(far.config(&url)).await;
    for _ in 0..2 {
        let near = World::new().await;
        let child = child_of(&near, parent.client.address, &url).await;
        child.token(&snapshot).await;
        assert_eq!(child.blob(&hash, &[]).await.body.unwrap(), launch);
        assert_eq!((asked(&child, "parent", "good"), asked(&child, "store", "good")), (3, 0));
        child.stop().await;
    }
    assert_eq!(asked(&parent, "store", "good"), 3);
    assert_eq!(parent.client.get(&format!("/v1/blobs/{hash}"), &[]).await.status, 200);
    parent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_is_told_the_channel_in_the_right_form() {
    let (world, _, _, hash) = world().await;
    let edge = world.start(world.config(NOBODY)).await;
    let path = format!("/v1/blobs/{hash}");
    for (header, status) in [("", 400), ("shop", 400), ("app/production", 400)] {
        assert_eq!(edge.client.get(&path, &[("aloft-channel", header)]).await.status, status, "{header}");
    }
    // It may exist: the edge cannot know.
    let channel = format!("{}/production", samples::app(1));
    assert_eq!(edge.client.get(&path, &[("aloft-channel", &channel)]).await.status, 503);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_parent_does_the_store_helps_out_and_wrong_bytes_go_no_further() {
    use Fault::{BitFlip, Error, Extra, Short, Truncated, WrongObject};
    for fault in [Error, Truncated, Short, Extra, BitFlip, WrongObject] {
        let (world, snapshot, launch, hash) = world().await;
        let server = world.control_plane.run(ANY_PORT).await;
        let parent = Faulty::always(fault).await;
        parent.has(&launch);
        let edge = child_of(&world, parent.address, &format!("http://{}", server.address)).await;
        edge.token(&snapshot).await;
        assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch, "{fault:?}");
        assert_eq!((parent.faults(), asked(&edge, "parent", "good")), (3, 0), "{fault:?}");
        assert_eq!(asked(&edge, "store", "good"), 3, "{fault:?}");
        edge.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_keeps_failing_is_left_alone() {
    let (world, snapshot, _, _) = world().await;
    let server = world.control_plane.run(ANY_PORT).await;
    let parent = Faulty::always(Fault::Error).await;
    let edge = child_of(&world, parent.address, &format!("http://{}", server.address)).await;
    edge.token(&snapshot).await;
    for version in 2..22 {
        let launch = samples::noise(1_000, version);
        let next = stored(&world, 1, version, &launch).await;
        let hash = samples::launch_hash(&next);
        parent.has(&launch);
        world.control_plane.publish(&next).await;
        crate::harness::until("it is in use", || world.control_plane.acks().len() as u64 == version).await;
        assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    }
    // A try now and then shows whether it works again; on a slow machine there may be some.
    assert!(parent.asked() < 20, "{} requests", parent.asked());
    let status = edge.admin.get("/statusz", &[]).await.json();
    let parts = status["parts"].as_array().unwrap();
    assert!(parts.iter().any(|part| part["name"] == "edge origins"), "{parts:?}");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_says_nothing_is_not_waited_for() {
    let (world, snapshot, launch, hash) = world().await;
    let server = world.control_plane.run(ANY_PORT).await;
    let parent = Faulty::always(Fault::Silent).await;
    parent.has(&launch);
    let edge = child_of(&world, parent.address, &format!("http://{}", server.address)).await;
    edge.token(&snapshot).await;
    assert_eq!(edge.blob(&hash, &[]).await.body.unwrap(), launch);
    // The parent has not answered, and has not failed either: its time is not over.
    assert_eq!((asked(&edge, "parent", "failed"), edge.metric("aloft_edge_origin_hedges_total")), (0, 3));
    assert_eq!(asked(&edge, "store", "good"), 3);
    edge.stop().await;
}
