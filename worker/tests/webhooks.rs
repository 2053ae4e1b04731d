//! This file's job is to check that webhooks are told what happened: signed, again when they were away, and nowhere else.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod rig;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::DeliveryState;
use db::webhook_deliveries::{self, Delivery, Happening, Try};
use db::webhooks::Webhook;
use domain::bundle::ArchiveFormat;
use domain::id::{DeliveryId, WebhookId};
use domain::plan::Plan;
use domain::webhook::{TRIES_MAX, WebhookEvent, retry_delay};
use rig::{Archive, PATIENCE, Rig, Running, Shape, pack};
use ring::hmac;
use runtime::clock::Clock;
use runtime::random;
use runtime::secret::Secret;
use runtime::vault::{Sealed, Vault};
use std::collections::HashSet;
use std::time::Duration;
use testkit::receiver::{Received, Receiver};
use testkit::wait_until_async;

const PEPPER: &str = "pepper-pepper-pepper-pepper-pepper";
const SECRET: [u8; 32] = [7; 32];
const OLD_SECRET: [u8; 32] = [8; 32];

fn start(rig: &Rig, to_private: bool) -> Running {
    let to_private = if to_private { "true" } else { "false" };
    rig.start(
        rig.config(&[("ALOFT_WORKER__PEPPER", PEPPER), ("ALOFT_WORKER__WEBHOOKS_TO_PRIVATE_NETWORKS", to_private)]),
    )
}

fn seal(id: &WebhookId, secret: &[u8]) -> Sealed {
    Vault::new(&[], &Secret::from(PEPPER)).unwrap().seal(id.as_str(), secret).unwrap()
}

/// Makes a webhook that is told everything, as the control plane does.
async fn webhook(rig: &Rig, url: &str, change: impl FnOnce(&mut Webhook)) -> Webhook {
    let now = rig.clock.now();
    let id = WebhookId::from_parts(now, random::bytes());
    let Sealed { master_key, bytes: sealed_secret } = seal(&id, &SECRET);
    let mut row = Webhook {
        id,
        organization: rig.scope.organization().clone(),
        app: None,
        url: url.to_owned(),
        events: WebhookEvent::ALL.to_vec(),
        enabled: true,
        sealed_secret,
        master_key,
        previous_secret: None,
        previous_master_key: None,
        previous_until: None,
        revision: 1,
        created_by: "test".into(),
        created_at: now,
        updated_at: now,
    };
    change(&mut row);
    let (scope, stored) = (rig.scope.clone(), row.clone());
    rig.db.write(move |tx| db::webhooks::insert(tx, &scope, &stored)).await.unwrap();
    row
}

/// Tells one webhook something.
async fn tell(rig: &Rig, webhook: &Webhook) -> DeliveryId {
    let (webhook, now) = (webhook.clone(), rig.clock.now());
    let data = serde_json::json!({ "text": "schön" });
    let write = move |tx: &mut db::Tx<'_>| {
        webhook_deliveries::tell_one(tx, &webhook, WebhookEvent::WebhookTest, &data, now, random::bytes)
    };
    rig.db.write(write).await.unwrap().id
}

async fn find(rig: &Rig, id: &DeliveryId) -> (Delivery, Vec<Try>) {
    let id = id.clone();
    let read = move |conn: &mut db::DbConn| {
        Ok((webhook_deliveries::find(conn, &id)?.unwrap(), webhook_deliveries::tries(conn, &id)?))
    };
    rig.db.read(read).await.unwrap()
}

async fn tried(rig: &Rig, id: &DeliveryId, times: u32) -> (Delivery, Vec<Try>) {
    wait_until_async(PATIENCE, || async { find(rig, id).await.0.tries >= times }).await;
    find(rig, id).await
}

async fn list(rig: &Rig, webhook: &Webhook) -> Vec<Delivery> {
    let (scope, id) = (rig.scope.clone(), webhook.id.clone());
    let list = move |conn: &mut db::DbConn| webhook_deliveries::list(conn, &scope, &id, None, 100);
    rig.db.read(list).await.unwrap()
}

/// Checks a message as a receiver does, with each of the secrets.
fn check(received: &Received, secrets: &[&[u8]]) {
    let header = |name: &str| received.headers[name].as_str();
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), received.body);
    let signatures: Vec<&str> = header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), secrets.len());
    for (signature, secret) in signatures.iter().zip(secrets) {
        let mac = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes(), &mac).unwrap();
    }
    assert_eq!(header("content-type"), "application/json");
}

async fn a_webhook_is_told_signed_and_again_after_a_failure(shape: Shape) {
    let mut rig = Rig::new(shape).await;
    rig.clock = Clock::manual(rig.clock.now());
    let (receiver, running) = (Receiver::start(), start(&rig, true));
    receiver.answer_next("500 Internal Server Error");
    receiver.answer_next(&format!("302 Found\r\nLocation: {}", receiver.url("/elsewhere")));
    let webhook = webhook(&rig, &receiver.url("/hook?a=b"), |_| ()).await;
    let id = tell(&rig, &webhook).await;
    for number in 1..3 {
        let (row, tries) = tried(&rig, &id, number).await;
        assert_eq!((row.state, tries.len()), (DeliveryState::Pending, number as usize));
        let wait = row.next_try_at.unwrap().since(rig.clock.now());
        let least = retry_delay(number).unwrap();
        assert!(wait >= least && wait <= least + least / 10, "{wait:?}");
        rig.clock.advance(wait);
    }
    let (row, tries) = tried(&rig, &id, 3).await;
    assert_eq!((row.state, row.next_try_at, row.error), (DeliveryState::Delivered, None, None));
    let statuses: Vec<_> = tries.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(500), Some(302), Some(204)]);
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    for one in &received {
        assert_eq!(one.path, "/hook?a=b", "no redirect is followed");
        check(one, &[&SECRET]);
        assert_eq!(one.headers["webhook-id"], row.message.to_string(), "the same each time");
        assert_eq!(one.body, row.body);
    }
    let sent: i64 = received[2].headers["webhook-timestamp"].parse().unwrap();
    assert_eq!(sent, rig.clock.now().as_us() / 1_000_000, "the time of the try, not of the event");
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["text"]), (&"webhook.test".into(), &"schön".into()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_signed_and_again_after_a_failure_in_the_embedded_shape() {
    a_webhook_is_told_signed_and_again_after_a_failure(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_signed_and_again_after_a_failure_in_the_scaled_shape() {
    a_webhook_is_told_signed_and_again_after_a_failure(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_stays_away_is_given_up_and_nothing_dies() {
    let mut rig = Rig::new(Shape::Embedded).await;
    rig.clock = Clock::manual(rig.clock.now());
    let running = start(&rig, true);
    // Nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let webhook = webhook(&rig, &format!("http://127.0.0.1:{port}/"), |_| ()).await;
    let id = tell(&rig, &webhook).await;
    for number in 1..TRIES_MAX {
        let (row, _) = tried(&rig, &id, number).await;
        rig.clock.advance(row.next_try_at.unwrap().since(rig.clock.now()));
    }
    let (row, tries) = tried(&rig, &id, TRIES_MAX).await;
    assert_eq!((row.state, row.next_try_at, tries.len()), (DeliveryState::Failed, None, TRIES_MAX as usize));
    assert!(row.finished_at.is_some() && tries.iter().all(|one| one.status.is_none() && one.error.is_some()));
    assert_eq!(rig.dead_count().await, 0, "it is the receiver's fault, not the server's");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_private_addresses_however_they_are_written() {
    let rig = Rig::new(Shape::Embedded).await;
    let (receiver, running) = (Receiver::start(), start(&rig, false));
    let port = receiver.port();
    // They passed a check when they were written: the rules were others, or a name led elsewhere.
    let hosts = ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"];
    for host in hosts {
        let webhook = webhook(&rig, &format!("https://{host}:{port}/"), |_| ()).await;
        let id = tell(&rig, &webhook).await;
        let (row, tries) = tried(&rig, &id, 1).await;
        assert_eq!((row.state, tries[0].status), (DeliveryState::Failed, None), "{host}: it is not even tried again");
        assert!(row.error.unwrap().contains("private"), "{host}");
    }
    let unencrypted = webhook(&rig, "http://example.com/", |_| ()).await;
    let id = tell(&rig, &unencrypted).await;
    assert!(tried(&rig, &id, 1).await.0.error.unwrap().contains("https://"));
    assert_eq!(receiver.received(), []);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_secret_is_rotated_both_sign() {
    let rig = Rig::new(Shape::Embedded).await;
    let (receiver, running) = (Receiver::start(), start(&rig, true));
    let keep = |row: &mut Webhook, until| {
        let Sealed { master_key, bytes } = seal(&row.id, &OLD_SECRET);
        row.previous_secret = Some(bytes);
        row.previous_master_key = Some(master_key);
        row.previous_until = Some(until);
    };
    let now = rig.clock.now();
    let during = webhook(&rig, &receiver.url("/during"), |row| keep(row, now.plus(Duration::from_secs(3_600)))).await;
    let after = webhook(&rig, &receiver.url("/after"), |row| keep(row, now.minus(Duration::from_secs(1)))).await;
    for webhook in [&during, &after] {
        let id = tell(&rig, webhook).await;
        assert_eq!(tried(&rig, &id, 1).await.0.state, DeliveryState::Delivered);
    }
    let received = receiver.received();
    check(received.iter().find(|one| one.path == "/during").unwrap(), &[&SECRET, &OLD_SECRET]);
    check(received.iter().find(|one| one.path == "/after").unwrap(), &[&SECRET]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_gone_turns_its_webhook_off() {
    let rig = Rig::new(Shape::Embedded).await;
    let (receiver, running) = (Receiver::start(), start(&rig, true));
    receiver.answer_next("410 Gone");
    let webhook = webhook(&rig, &receiver.url("/"), |_| ()).await;
    let (gone, waiting) = (tell(&rig, &webhook).await, tell(&rig, &webhook).await);
    assert_eq!(tried(&rig, &gone, 1).await.0.state, DeliveryState::Failed);
    // What waited when it was turned off may have been under way.
    let waited = tried(&rig, &waiting, 1).await.0.state;
    assert!(matches!(waited, DeliveryState::Failed | DeliveryState::Delivered), "{waited}");
    let (scope, id) = (rig.scope.clone(), webhook.id.clone());
    assert!(!rig.db.read(move |conn| db::webhooks::get(conn, &scope, &id)).await.unwrap().enabled);
    running.stop().await;
}

/// Lets the plan of the rig's organization allow so many builds.
async fn limit_builds(rig: &Rig, builds_per_month: u32) {
    let now = rig.clock.now();
    let write = move |tx: &mut db::Tx<'_>| {
        let plan = db::plans::get(tx, domain::plan::PlanName::Free)?;
        db::plans::apply(tx, &Plan { builds_per_month, ..plan }, now)
    };
    rig.db.write(write).await.unwrap();
}

async fn uploads_and_quotas_are_told(shape: Shape) {
    let rig = Rig::new(shape).await;
    limit_builds(&rig, 1).await;
    let (receiver, running) = (Receiver::start(), start(&rig, true));
    let all = webhook(&rig, &receiver.url("/all"), |_| ()).await;
    let app = rig.app.clone();
    let narrow = |row: &mut Webhook| {
        row.app = Some(app);
        row.events = vec![WebhookEvent::UploadReady];
    };
    let one = webhook(&rig, &receiver.url("/one"), narrow).await;
    let off = webhook(&rig, &receiver.url("/off"), |row| row.enabled = false).await;
    let good = rig.upload(&pack("v1/android/hermes", &HashSet::new())).await;
    rig.processed(&good).await;
    let bad = rig.upload(&Archive::android(ArchiveFormat::Zip, b"no archive".to_vec())).await;
    rig.processed(&bad).await;
    let mut events: Vec<_> = list(&rig, &all).await.into_iter().map(|row| row.event).collect();
    events.sort();
    assert_eq!(events, [WebhookEvent::UploadReady, WebhookEvent::UploadFailed, WebhookEvent::QuotaReached]);
    let ready = list(&rig, &one).await;
    assert_eq!(ready.len(), 1);
    assert_eq!(list(&rig, &off).await, []);
    wait_until_async(PATIENCE, || async { receiver.received().len() == 4 }).await;
    let body: serde_json::Value = serde_json::from_str(&ready[0].body).unwrap();
    assert_eq!(body["data"]["name"], format!("apps/{}/uploads/{good}", rig.app));
    assert!(body["data"]["bundle"].as_str().unwrap().contains("/bundles/bun_"));
    let both = receiver.received().into_iter().filter(|one| one.body == ready[0].body);
    let ids: HashSet<_> = both.map(|one| one.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "one message, whoever gets it");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_and_quotas_are_told_in_the_embedded_shape() {
    uploads_and_quotas_are_told(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_and_quotas_are_told_in_the_scaled_shape() {
    uploads_and_quotas_are_told(Shape::Scaled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_happen_is_not_told_and_a_backlog_is_bounded() {
    let rig = Rig::new(Shape::Embedded).await;
    let webhook = webhook(&rig, "https://hooks.example.com/", |_| ()).await;
    let happening = Happening {
        organization: rig.scope.organization().clone(),
        app: Some(rig.app.clone()),
        event: WebhookEvent::ReleaseCreated,
        data: serde_json::json!({}),
    };
    let (again, now) = (happening.clone(), rig.clock.now());
    let undone = rig.db.write(move |tx| {
        webhook_deliveries::tell(tx, &again, now, random::bytes)?;
        Err::<(), _>(db::Error::Conflict { what: "test" })
    });
    undone.await.unwrap_err();
    assert_eq!(list(&rig, &webhook).await, []);
    // A receiver that is away for long gets a thousand messages later, not millions.
    let flood = rig
        .db
        .write(move |tx| (0..1_003).try_for_each(|_| webhook_deliveries::tell(tx, &happening, now, random::bytes)));
    flood.await.unwrap();
    let (scope, id) = (rig.scope.clone(), webhook.id.clone());
    let all = rig.db.read(move |conn| {
        let mut all = webhook_deliveries::list(conn, &scope, &id, None, 1_000)?;
        let last = all.last().map(|row| row.id.clone());
        all.extend(webhook_deliveries::list(conn, &scope, &id, last.as_ref(), 1_000)?);
        Ok(all)
    });
    let all = all.await.unwrap();
    let failed = all.iter().filter(|row| row.state == DeliveryState::Failed).count();
    assert_eq!((all.len(), failed), (1_003, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_runs_the_installation_is_told_of_dead_jobs_once() {
    let rig = Rig::new(Shape::Embedded).await;
    let receiver = Receiver::start();
    let secret = format!("whsec_{}", STANDARD.encode(SECRET));
    let url = receiver.url("/dead");
    let config = rig.config(&[
        ("ALOFT_WORKER__WEBHOOKS_TO_PRIVATE_NETWORKS", "true"),
        ("ALOFT_WORKER__OPERATOR_WEBHOOK_URL", url.as_str()),
        ("ALOFT_WORKER__OPERATOR_WEBHOOK_SECRET", secret.as_str()),
    ]);
    let (scope, now, app) = (rig.scope.clone(), rig.clock.now(), rig.app.clone());
    let bury = move |tx: &mut db::Tx<'_>| {
        let upload = domain::id::UploadId::from_parts(now, [3; 10]);
        let new = db::queue::NewJob {
            id: domain::id::JobId::from_parts(now, [3; 10]),
            tier: domain::job::Tier::P3,
            organization: scope.organization().clone(),
            app: Some(app.clone()),
            work: domain::job::Job::ProcessUpload { upload },
            cost: 1,
            run_at: now,
        };
        db::queue::enqueue(tx, &new, now)?;
        let worker = domain::id::WorkerId::from_parts(now, [3; 10]);
        let claim = db::queue::Claim {
            tier: domain::job::Tier::P3,
            limit: 1,
            background_max: 1,
            first: domain::job::Lane::Foreground,
            tenant_max: None,
            worker,
            lease: Duration::from_secs(60),
            deadline: Duration::from_secs(60),
        };
        let lease = db::queue::claim(tx, &claim, now)?.remove(0);
        let failure = db::queue::Failure { reason: "internal".into(), error: "it broke".into(), retryable: false };
        db::queue::fail(tx, &lease, &failure, 0, now)
    };
    rig.db.write(bury).await.unwrap();
    let running = rig.start(config);
    wait_until_async(PATIENCE, || async { !receiver.received().is_empty() }).await;
    let received = receiver.received();
    check(&received[0], &[&SECRET]);
    let body: serde_json::Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["error"]), (&"job.dead".into(), &"it broke".into()));
    assert_eq!(rig.dead_count().await, 1, "telling makes no dead job");
    running.stop().await;
    assert_eq!(receiver.received().len(), 1);
}
