//! This file's job is to check that a client which watches is told everything that it may know, once and in order.

use crate::on_both_databases;
use crate::rig::{PATIENCE, Rig, Shape, reason, serve, sha256, with};
use prost::Message as _;
use proto::v1;
use proto::v1::watch_event::Subject;
use proto::v1::watch_response::Message;
use std::time::Instant;
use tonic::Streaming;

on_both_databases!(
    a_watcher_gets_the_state_and_then_every_change,
    a_watcher_that_comes_back_misses_nothing,
    changes_reach_watchers_of_every_replica,
    nothing_of_another_organization_is_told,
);

struct Watcher(Streaming<v1::WatchResponse>);

impl Watcher {
    async fn connect(rig: &Rig, key: &str, topics: &[&str], after_seq: i64) -> Self {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let request = with(key, v1::WatchRequest { topics, after_seq });
        Self(rig.watches().watch(request).await.unwrap().into_inner())
    }

    /// Returns the next message that is not a heartbeat.
    async fn next(&mut self) -> (i64, Message) {
        loop {
            let response = tokio::time::timeout(PATIENCE, self.0.message()).await.unwrap().unwrap().unwrap();
            match response.message.unwrap() {
                Message::Heartbeat(_) => {}
                message => return (response.seq, message),
            }
        }
    }

    /// Waits until the server ends the stream, and returns why.
    async fn end(&mut self) -> tonic::Status {
        loop {
            match self.0.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("ended without a reason"),
                Err(status) => return status,
            }
        }
    }

    async fn snapshot(&mut self) -> (i64, v1::WatchSnapshot) {
        match self.next().await {
            (seq, Message::Snapshot(snapshot)) => (seq, snapshot),
            other => panic!("{other:?}"),
        }
    }

    async fn event(&mut self) -> (i64, v1::WatchEvent) {
        match self.next().await {
            (seq, Message::Event(event)) => (seq, event),
            other => panic!("{other:?}"),
        }
    }
}

async fn begin_upload(rig: &Rig, key: &str, app: &str, content: &str) -> v1::Upload {
    let request = v1::CreateUploadRequest {
        parent: app.to_owned(),
        platform: v1::Platform::Ios.into(),
        archive_format: 1,
        archive_size_bytes: 5,
        archive_sha256: sha256(content.as_bytes()),
        ..Default::default()
    };
    rig.uploads().create_upload(with(key, request)).await.unwrap().into_inner().upload.unwrap()
}

async fn note_stage(rig: &Rig, upload: &v1::Upload, stage: &'static str) {
    let mut parts = upload.name.split('/').skip(1).step_by(2);
    let (app, id) = (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().parse().unwrap());
    let scope = rig.scope.clone();
    let write = move |tx: &mut db::Tx<'_>| {
        db::feed::note_stage(tx, &scope, &app, &id, stage, crate::rig::now());
        Ok(())
    };
    rig.db.write(write).await.unwrap();
}

fn upload_of(event: &v1::WatchEvent) -> &v1::Upload {
    match event.subject.as_ref().unwrap() {
        Subject::Upload(upload) => upload,
        other => panic!("{other:?}"),
    }
}

async fn a_watcher_gets_the_state_and_then_every_change(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let first = begin_upload(&rig, &rig.key, &app.name, "one").await;
    let mut watcher = Watcher::connect(&rig, &rig.key, &["apps/shop"], 0).await;
    let (at, snapshot) = watcher.snapshot().await;
    assert_eq!((snapshot.uploads, snapshot.channels), (vec![first.clone()], vec![channel.clone()]));
    note_stage(&rig, &first, "unpacked").await;
    let (seq, event) = watcher.event().await;
    assert_eq!((seq, event.stage.as_str(), upload_of(&event)), (at + 1, "unpacked", &first));
    let cancel = v1::CancelUploadRequest { name: first.name.clone() };
    rig.uploads().cancel_upload(rig.ask(cancel)).await.unwrap();
    let (seq, event) = watcher.event().await;
    assert_eq!((seq, upload_of(&event).state()), (at + 2, v1::UploadState::Cancelled));
    let bundle = rig.bundle(&app, "one").await;
    rig.publish(&channel, &bundle).await;
    let (seq, event) = watcher.event().await;
    let Some(Subject::Channel(changed)) = event.subject else { panic!("{event:?}") };
    assert_eq!((seq, changed.channel_id.as_str()), (at + 3, channel.channel_id.as_str()));
    assert!(changed.snapshot_version > channel.snapshot_version);
    rig.channels()
        .delete_channel(rig.ask(v1::DeleteChannelRequest { name: channel.name, ..Default::default() }))
        .await
        .unwrap();
    let (_, event) = watcher.event().await;
    assert_eq!(event.subject, Some(Subject::Deleted(format!("{}/channels/production", app.name))));
}

async fn a_watcher_that_comes_back_misses_nothing(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let upload = begin_upload(&rig, &rig.key, &app.name, "one").await;
    let mut watcher = Watcher::connect(&rig, &rig.key, &[&upload.name], 0).await;
    let (mut seq, _) = watcher.snapshot().await;
    let mut seen = Vec::new();
    for round in 0..5 {
        // Changes before, while and after nobody is connected.
        drop(watcher);
        note_stage(&rig, &upload, "away").await;
        watcher = Watcher::connect(&rig, &rig.key, &[&upload.name], seq).await;
        note_stage(&rig, &upload, "here").await;
        for stage in ["away", "here"] {
            let (next, event) = watcher.event().await;
            assert_eq!((next, event.stage.as_str()), (seq + 1, stage), "round {round}");
            seq = next;
            seen.push(next);
        }
    }
    assert_eq!(seen.len(), 10);
    // What is kept no more, and what comes from another life, is replaced by the state.
    let later = crate::rig::now().plus(std::time::Duration::from_secs(60));
    rig.db.write(move |tx| db::feed::trim(tx, later, 10)).await.unwrap();
    for strange in [1, seq + 1_000] {
        let mut watcher = Watcher::connect(&rig, &rig.key, &[&upload.name], strange).await;
        assert!(matches!(watcher.next().await, (_, Message::Resync(_))));
        assert_eq!(
            watcher.snapshot().await,
            (seq, v1::WatchSnapshot { uploads: vec![upload.clone()], channels: vec![] })
        );
    }
}

async fn changes_reach_watchers_of_every_replica(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let upload = begin_upload(&rig, &rig.key, &app.name, "one").await;
    let (second, _control_plane) = serve(&rig.db, &rig.store).await;
    let request = with(&rig.key, v1::WatchRequest { topics: vec![upload.name.clone()], after_seq: 0 });
    let mut client = v1::watch_service_client::WatchServiceClient::new(second.channel.clone());
    let mut there = Watcher(client.watch(request).await.unwrap().into_inner());
    let mut here = Watcher::connect(&rig, &rig.key, &[&upload.name], 0).await;
    there.snapshot().await;
    here.snapshot().await;
    let begun = Instant::now();
    note_stage(&rig, &upload, "unpacked").await;
    for watcher in [&mut here, &mut there] {
        assert_eq!(watcher.event().await.1.stage, "unpacked");
    }
    println!("both replicas told it after {:?}", begun.elapsed());
    // A stop says good-bye first, so that clients come back at once and elsewhere.
    second.stop().await;
    assert!(matches!(there.next().await.1, Message::GoAway(_)));
}

async fn nothing_of_another_organization_is_told(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let upload = begin_upload(&rig, &rig.key, &app.name, "one").await;
    let foreign = rig.organization("foreign").await;
    let (key, _) = rig.key(&foreign, db::Role::Owner).await;
    let request = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    let own = rig.apps().create_app(with(&key, request)).await.unwrap().into_inner().app.unwrap();
    let mut watcher = Watcher::connect(&rig, &key, &[], 0).await;
    let (_, snapshot) = watcher.snapshot().await;
    assert_eq!(snapshot, v1::WatchSnapshot::default());
    note_stage(&rig, &upload, "unpacked").await;
    let theirs = begin_upload(&rig, &key, &own.name, "two").await;
    let (_, event) = watcher.event().await;
    assert_eq!(upload_of(&event).name, theirs.name, "the first thing it hears is its own");
    // A number of one feed says nothing about another: at worst the state comes again.
    let request = v1::WatchRequest { topics: vec![app.name], after_seq: 1 };
    assert_eq!(reason(rig.watches().watch(with(&key, request)).await), v1::Reason::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_ends_ends_its_streams() {
    let rig = Rig::new(Shape::Embedded).await;
    rig.app("shop").await;
    let (key, id) = rig.key(&rig.scope, db::Role::Viewer).await;
    let mut tokens = vec![key];
    for _ in 0..2 {
        tokens.push(rig.signed_in_member(&rig.scope, db::Role::Viewer).await);
    }
    let mut watchers = Vec::new();
    for token in &tokens {
        let mut watcher = Watcher::connect(&rig, token, &[], 0).await;
        watcher.snapshot().await;
        watchers.push(watcher);
    }
    let [signed_out, left] = [person_of(&rig, &tokens[1]).await, person_of(&rig, &tokens[2]).await];
    let scope = rig.scope.clone();
    let end = move |tx: &mut db::Tx<'_>| {
        db::api_keys::revoke(tx, &scope, &id, crate::rig::now())?;
        db::sessions::delete_others(tx, &signed_out, None)?;
        db::members::delete(tx, &scope, &left)
    };
    rig.db.write(end).await.unwrap();
    for (number, mut watcher) in watchers.into_iter().enumerate() {
        // The stream looks with each heartbeat.
        let status = tokio::time::timeout(PATIENCE * 3, watcher.end()).await.unwrap();
        assert_eq!(reason(Err::<(), _>(status)), v1::Reason::CredentialInvalid, "watcher {number}");
    }
}

async fn person_of(rig: &Rig, token: &str) -> domain::id::UserId {
    let answer = rig.person().get_person(with(token, v1::GetPersonRequest {})).await.unwrap();
    answer.into_inner().person.unwrap().person_id.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_watches_through_grpc_web() {
    let rig = Rig::new(Shape::Embedded).await;
    let (app, _) = rig.app("shop").await;
    let upload = begin_upload(&rig, &rig.key, &app.name, "one").await;
    let request = v1::WatchRequest { topics: vec![upload.name.clone()], after_seq: 0 }.encode_to_vec();
    let mut body = vec![0];
    body.extend(u32::try_from(request.len()).unwrap().to_be_bytes());
    body.extend(request);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut answer = reqwest::Client::builder()
        .http1_only()
        .build()
        .unwrap()
        .post(format!("http://{}/aloft.v1.WatchService/Watch", rig.server.address))
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
        .header("authorization", format!("Bearer {}", rig.key))
        .body(body)
        .send()
        .await
        .unwrap();
    let mut received = Vec::new();
    let mut messages = Vec::new();
    while messages.len() < 2 {
        let piece = tokio::time::timeout(PATIENCE, answer.chunk()).await.unwrap().unwrap().unwrap();
        received.extend(piece);
        while received.len() >= 5 {
            let size = u32::from_be_bytes(received[1..5].try_into().unwrap()) as usize;
            if received.len() < 5 + size {
                break;
            }
            messages.push(v1::WatchResponse::decode(&received[5..5 + size]).unwrap().message.unwrap());
            received.drain(..5 + size);
            if messages.len() == 1 {
                note_stage(&rig, &upload, "unpacked").await;
            }
        }
    }
    assert!(matches!(&messages[0], Message::Snapshot(snapshot) if snapshot.uploads == [upload]));
    assert!(matches!(&messages[1], Message::Event(event) if event.stage == "unpacked"));
}
