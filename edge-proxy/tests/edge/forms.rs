//! This file's job is to test that devices get files compressed when they can decode that, and never otherwise.

use crate::harness::{RunningEdge, World, stored};
use crate::samples;
use bytes::Bytes;
use domain::Sha256;
use domain::bundle::Coding;
use domain::snapshot::ChannelSnapshot;
use http::Method;

const BROTLI: &[u8] = b"the launch file in Brotli";
const GZIP: &[u8] = b"the launch file in Gzip's larger form";
const LOGO: &[u8] = b"the asset in Gzip";

/// A channel whose launch file has two compressed forms, and whose asset has one.
async fn serving() -> (World, crate::control_plane::Running, RunningEdge, ChannelSnapshot, Bytes) {
    let world = World::new().await;
    let launch = samples::noise(300_000, 7);
    let mut snapshot = stored(&world, 1, 1, &launch).await;
    let (hash, asset) = (samples::launch_hash(&snapshot), Sha256::of(&samples::noise(1_000, 1)));
    for (of, coding, bytes) in [(hash, Coding::Brotli, BROTLI), (hash, Coding::Gzip, GZIP), (asset, Coding::Gzip, LOGO)]
    {
        world.store(bytes).await;
        samples::add_variant(&mut snapshot, of, coding, bytes);
    }
    world.control_plane.publish(&snapshot).await;
    let server = world.control_plane.run(crate::harness::ANY_PORT).await;
    let edge = world.start(world.config(&format!("http://{}", server.address))).await;
    edge.token(&snapshot).await;
    (world, server, edge, snapshot, launch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_decodes_gets_the_smallest_form_and_all_that_belongs_to_it() {
    let (_world, _server, edge, snapshot, launch) = serving().await;
    let hash = samples::launch_hash(&snapshot);
    for (accept, coding, bytes) in [
        ("gzip, deflate, br", "br", BROTLI),
        ("gzip", "gzip", GZIP),
        ("identity", "", &launch[..]),
        ("zstd", "", &launch),
    ] {
        let answer = edge.blob(&hash, &[("accept-encoding", accept)]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_ref().unwrap().as_ref()), (200, bytes), "{accept}");
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("content-length"), bytes.len().to_string());
        assert_eq!(answer.header("vary"), "accept-encoding, available-dictionary");
        let etag = format!("\"{}\"", Sha256::of(bytes));
        assert_eq!(answer.header("etag"), etag);
        let headers = [("accept-encoding", accept), ("if-none-match", etag.as_str())];
        let unchanged = edge.blob(&hash, &headers).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.header("vary")), (304, answer.header("vary")));
        let path = format!("/v1/blobs/{hash}");
        let head = edge.client.send(Method::HEAD, &path, &[("accept-encoding", accept)], Bytes::new()).await;
        assert_eq!((head.status.as_u16(), head.header("content-encoding")), (200, coding));
        assert_eq!(head.header("content-length"), bytes.len().to_string());
        assert!(head.body.unwrap().is_empty());
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_one_of_the_file_unless_the_client_names_the_form() {
    let (_world, _server, edge, snapshot, launch) = serving().await;
    let hash = samples::launch_hash(&snapshot);
    let ask = async |tag: Option<&Sha256>| {
        let tag = tag.map(|sha256| format!("\"{sha256}\"")).unwrap_or_default();
        let mut headers = vec![("accept-encoding", "br, gzip"), ("range", "bytes=2-5")];
        if !tag.is_empty() {
            headers.push(("if-range", tag.as_str()));
        }
        edge.blob(&hash, &headers).await
    };
    for (tag, coding, bytes) in
        [(None, "", &launch[..]), (Some(hash), "", &launch), (Some(Sha256::of(GZIP)), "gzip", GZIP)]
    {
        let answer = ask(tag.as_ref()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (206, coding), "{tag:?}");
        assert_eq!(answer.header("content-range"), format!("bytes 2-5/{}", bytes.len()));
        assert_eq!(answer.body.unwrap(), bytes[2..6]);
    }
    let other = ask(Some(&Sha256::of(b"gone"))).await;
    assert_eq!(
        (other.status.as_u16(), other.body.unwrap()),
        (200, launch),
        "what the tag names is no more: all of the file"
    );
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_have_forms_too_and_forms_come_as_they_are() {
    let (_world, _server, edge, _, _) = serving().await;
    let asset = Sha256::of(&samples::noise(1_000, 1));
    let answer = edge.blob(&asset, &[("accept-encoding", "br, gzip")]).await;
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("gzip", "accept-encoding"));
    assert_eq!((answer.header("use-as-dictionary"), answer.body.as_ref().unwrap().as_ref()), ("", LOGO));
    let form = edge.blob(&Sha256::of(LOGO), &[("accept-encoding", "br, gzip")]).await;
    assert_eq!((form.status.as_u16(), form.header("content-encoding"), form.header("vary")), (200, "", ""));
    assert_eq!(form.body.unwrap(), LOGO);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_the_smallest_form_that_the_device_lists() {
    let (_world, _server, edge, snapshot, _) = serving().await;
    let token = edge.token(&snapshot).await;
    for (formats, coding, bytes) in [
        ("&formats=gzip,dcz,br", Some("br"), BROTLI),
        ("&formats=zstd,gzip", Some("gzip"), GZIP),
        ("&formats=zstd", None, b""),
        ("&formats=dcz", None, b""),
        ("", None, b""),
    ] {
        let json = edge.check(&snapshot, &token, formats).await.json();
        let files = json["update"]["bundle"]["files"].as_array().unwrap();
        let launch = files.iter().find(|file| file["role"] == "launch").unwrap();
        assert_eq!(launch["encoded"]["coding"].as_str(), coding, "{formats}");
        let asset = files.iter().find(|file| file["role"] == "asset").unwrap();
        assert_eq!(asset["encoded"].is_null(), !formats.contains("gzip"), "{formats}");
        if coding.is_some() {
            let (sha256, encoded) = (Sha256::of(bytes), &launch["encoded"]);
            assert_eq!(encoded["sha256"], sha256.to_hex());
            assert_eq!(
                (encoded["size_bytes"].as_u64(), &encoded["chunks"][0]),
                (Some(bytes.len() as u64), &encoded["sha256"])
            );
            let answer = edge.client.get(encoded["url"].as_str().unwrap(), &[]).await;
            assert_eq!(answer.body.unwrap(), bytes);
        }
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_patch_is_offered_that_saves_less_than_a_quarter_of_the_smallest_form() {
    let mut snapshot = samples::channel(1, 1, &samples::noise(1_000, 1), b"logo");
    let (hash, had) = (samples::launch_hash(&snapshot), Sha256::of(b"had"));
    samples::add_variant(&mut snapshot, hash, Coding::Brotli, &[1; 100]);
    snapshot.deltas =
        vec![samples::delta(&snapshot, had, "dcz", &[2; 76]), samples::delta(&snapshot, had, "hbc1", &[3; 75])];
    let (_world, _server, edge) = World::serving(&snapshot).await;
    let token = edge.token(&snapshot).await;
    for (format, is_offered) in [("dcz", false), ("hbc1", true)] {
        let json = edge.check(&snapshot, &token, &format!("&current={had}&formats={format}")).await.json();
        assert_eq!(json["update"]["delta"].is_object(), is_offered, "{format}");
    }
    edge.stop().await;
}
