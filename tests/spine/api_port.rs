//! This file's job is to show that an edge is all that programs and browsers need to see of the control plane, replica by replica.

use crate::world::World;
use prost::Message as _;
use proto::v1;
use proto::v1::app_service_client::AppServiceClient;
use proto::v1::edge_service_client::EdgeServiceClient;
use proto::v1::watch_response::Message;
use proto::v1::watch_service_client::WatchServiceClient;
use std::time::{Duration, Instant};
use tests::stack::Stack;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Streaming};

/// Far longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Every connection to a replica can break one call that runs alone; an edge has one or two.
const BROKEN_MAX: usize = 2;

struct Caller {
    channel: Channel,
    key: String,
}

impl Caller {
    fn new(url: &str, key: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy();
        Self { channel, key: key.to_owned() }
    }

    fn with<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.key).parse().unwrap());
        request
    }

    async fn get_app(&self, name: &str) -> Result<v1::App, tonic::Status> {
        let request = self.with(v1::GetAppRequest { name: name.to_owned() });
        let answer = AppServiceClient::new(self.channel.clone()).get_app(request).await;
        answer.map(|answer| answer.into_inner().app.unwrap())
    }

    async fn watch(&self) -> Streaming<v1::WatchResponse> {
        let request = self.with(v1::WatchRequest::default());
        WatchServiceClient::new(self.channel.clone()).watch(request).await.unwrap().into_inner()
    }
}

/// Reads what is told until the condition holds.
async fn told(stream: &mut Streaming<v1::WatchResponse>, wanted: impl Fn(&Message) -> bool) {
    let until = async { while !stream.message().await.unwrap().unwrap().message.as_ref().is_some_and(&wanted) {} };
    tokio::time::timeout(DEADLINE, until).await.expect("the watcher is told in time");
}

#[tokio::test]
async fn programs_and_browsers_reach_the_control_plane_through_an_edge() {
    let mut world = World::new(Stack::in_separate_processes());
    let url = world.stack.put_api_port_before_control_planes();
    let app = format!("apps/{}", world.app);
    world.stack.cli = world.stack.cli.at(&url);
    let caller = Caller::new(&url, world.cli().api_key());

    let mut watcher = caller.watch().await;
    told(&mut watcher, |message| matches!(message, Message::Snapshot(_))).await;
    // The upload streams through the edge, and what happens to it comes back the same way.
    assert_eq!(world.release("v1", &[])["label"], "v1");
    told(&mut watcher, |message| matches!(message, Message::Event(event) if event.stage == "ready")).await;

    assert_eq!(caller.get_app(&app).await.unwrap().slug, "trailhead");
    let refused = caller.get_app("apps/app_00000000000000000000000000").await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    assert!(!refused.details().is_empty(), "the reason comes with the status");
    let nobody = Caller::new(&url, "nonsense").get_app(&app).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let edge = EdgeServiceClient::new(caller.channel.clone());
    let hello = caller.with(tokio_stream::iter([v1::SyncRequest::default()]));
    assert_eq!(edge.max_decoding_message_size(1 << 20).sync(hello).await.unwrap_err().code(), Code::Unimplemented);

    let message = v1::GetAppRequest { name: app }.encode_to_vec();
    let body = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat();
    let browser = reqwest::Client::builder().http1_only().build().unwrap();
    let request = browser.post(format!("{url}/aloft.v1.AppService/GetApp")).body(body);
    let request = request.header("content-type", "application/grpc-web+proto").header("x-grpc-web", "1");
    let answer = request.bearer_auth(world.cli().api_key()).send().await.unwrap().bytes().await.unwrap();
    let size = u32::from_be_bytes(answer[1..5].try_into().unwrap()) as usize;
    assert_eq!(v1::GetAppResponse::decode(&answer[5..5 + size]).unwrap().app.unwrap().slug, "trailhead");
    assert!(String::from_utf8_lossy(&answer[5 + size..]).contains("grpc-status:0"));
}

#[tokio::test]
async fn a_replica_that_dies_takes_nothing_along_but_its_streams() {
    let mut world = World::new(Stack::in_separate_processes());
    let url = world.stack.put_api_port_before_control_planes();
    let app = format!("apps/{}", world.app);
    let caller = Caller::new(&url, world.cli().api_key());
    // Two streams, one to each replica, as the turns go; calls between them would change that.
    let mut watchers = [caller.watch().await, caller.watch().await];
    for watcher in &mut watchers {
        told(watcher, |message| matches!(message, Message::Snapshot(_))).await;
    }
    world.stack.replica.as_mut().unwrap().kill();
    // A call that meets the connection before it is known to be dead may have begun, so it is not sent again: whoever made it is told.
    let mut broken = 0;
    for _ in 0..50 {
        match caller.get_app(&app).await {
            Ok(shown) => assert_eq!(shown.slug, "trailhead"),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable);
                broken += 1;
            }
        }
    }
    assert!(broken <= BROKEN_MAX, "{broken} calls broke");
    let cli = world.cli().at(&url);
    let _ = cli.json(&["channel", "create", "beta", "--app", "trailhead"]);
    // One watcher is told of it, the other that its stream has ended, so that it can come back.
    let mut ended = Vec::new();
    for watcher in &mut watchers {
        let end = async {
            loop {
                match watcher.message().await {
                    Ok(Some(message)) if matches!(message.message, Some(Message::Event(_))) => break None,
                    Ok(Some(_)) => {}
                    Ok(None) => break Some(Code::Ok),
                    Err(status) => break Some(status.code()),
                }
            }
        };
        ended.push(tokio::time::timeout(DEADLINE, end).await.expect("no watcher is left hanging"));
    }
    ended.sort_by_key(Option::is_some);
    assert_eq!(ended, [None, Some(Code::Unavailable)]);

    world.stack.control_plane.as_mut().unwrap().kill();
    let status = caller.get_app(&app).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    world.stack.restart_control_plane();
    let began = Instant::now();
    while caller.get_app(&app).await.is_err() {
        assert!(began.elapsed() < DEADLINE, "the control plane is back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
