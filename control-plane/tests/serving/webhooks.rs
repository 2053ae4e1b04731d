//! This file's job is to check that changes tell webhooks in their own transaction, and that webhooks belong to their organization.

use crate::on_both_databases;
use crate::rig::{OPERATOR_TOKEN, Rig, config, reason, serve_with, with};
use db::{Role, Scope};
use domain::Environment;
use domain::id::WebhookId;
use proto::v1::{self, Reason};
use runtime::clock::Clock;
use runtime::secret::Secret;
use runtime::vault::{Sealed, Vault};
use serde_json::Value;
use tonic::Code;

on_both_databases!(
    every_change_of_a_release_is_told_where_it_was_asked_for,
    a_change_that_fails_tells_nothing,
    a_changed_plan_is_told,
    a_secret_is_shown_once_and_its_successor_keeps_it_for_a_while,
    addresses_and_events_are_checked,
    a_message_is_sent_again_with_the_same_id,
    there_are_only_so_many_webhooks,
    a_webhook_of_an_app_does_not_go_with_it,
    a_new_master_key_seals_webhooks_anew,
    only_whole_live_credentials_of_admins_deal_with_webhooks,
);

const URL: &str = "https://hooks.example.com/a/secret/path";

async fn create(rig: &Rig, app: &str, events: &[&str]) -> (v1::Webhook, String) {
    let request = v1::CreateWebhookRequest {
        app: app.into(),
        url: URL.into(),
        events: events.iter().map(|&event| event.to_owned()).collect(),
    };
    let made = rig.webhooks().create_webhook(rig.ask(request)).await.unwrap().into_inner();
    (made.webhook.unwrap(), made.secret)
}

/// Returns what a webhook was told, oldest first: the events and their data.
async fn told(rig: &Rig, webhook: &v1::Webhook) -> Vec<(String, Value)> {
    let list = v1::ListWebhookDeliveriesRequest { parent: webhook.name.clone(), ..Default::default() };
    let listed = rig.webhooks().list_webhook_deliveries(rig.ask(list)).await.unwrap().into_inner().deliveries;
    let mut all = Vec::new();
    for row in listed.into_iter().rev() {
        assert_eq!((row.state.as_str(), row.body.as_str()), ("pending", ""), "bodies are shown one by one");
        let get = v1::GetWebhookDeliveryRequest { name: row.name };
        let row = rig.webhooks().get_webhook_delivery(rig.ask(get)).await.unwrap().into_inner().delivery.unwrap();
        let body: Value = serde_json::from_str(&row.body).unwrap();
        assert_eq!(body["type"], row.event.as_str());
        all.push((row.event, body["data"].clone()));
    }
    all
}

async fn every_change_of_a_release_is_told_where_it_was_asked_for(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (_, other) = rig.app("other").await;
    let (all, _) = create(&rig, "", &[]).await;
    let (rollouts, _) = create(&rig, &app.name, &["rollout.changed"]).await;
    let (of_other, _) = create(&rig, "apps/other", &["release.created"]).await;
    let before = rig.ready_jobs().await;
    let bundle = rig.bundle(&app, "one").await;
    let release = rig.publish(&channel, &bundle).await;
    let set = v1::SetRolloutRequest { name: release.name.clone(), share_ppm: Some(100_000), ..Default::default() };
    rig.releases().set_rollout(rig.ask(set)).await.unwrap();
    let update = v1::UpdateReleaseRequest {
        release: Some(v1::Release { name: release.name.clone(), enabled: false, ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["enabled".into()] }),
        ..Default::default()
    };
    rig.releases().update_release(rig.ask(update)).await.unwrap();
    let delete = v1::DeleteReleaseRequest { name: release.name.clone(), ..Default::default() };
    rig.releases().delete_release(rig.ask(delete)).await.unwrap();
    let all = told(&rig, &all).await;
    let events: Vec<&str> = all.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["release.created", "rollout.changed", "release.updated", "release.deleted"]);
    for (_, data) in &all {
        assert_eq!((&data["name"], &data["app"]), (&release.name.as_str().into(), &app.name.as_str().into()));
        assert_eq!((&data["label"], &data["platform"]), (&"v1".into(), &"android".into()));
    }
    assert_eq!((&all[1].1["from_share_ppm"], &all[1].1["share_ppm"]), (&1_000_000.into(), &100_000.into()));
    assert_eq!(all[2].1["fields"], serde_json::json!(["enabled"]));
    let rollouts = told(&rig, &rollouts).await;
    assert_eq!(rollouts.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>(), ["rollout.changed"]);
    assert_eq!(told(&rig, &of_other).await, []);
    // Each is a job, beside the one that plans deltas.
    assert_eq!(rig.ready_jobs().await - before, 4 + 1 + 1);
    let bundle = rig.bundle(&rig_app(&rig, "other").await, "one").await;
    rig.publish(&other, &bundle).await;
    assert_eq!(told(&rig, &of_other).await.len(), 1);
}

async fn rig_app(rig: &Rig, slug: &str) -> v1::App {
    let get = v1::GetAppRequest { name: format!("apps/{slug}") };
    rig.apps().get_app(rig.ask(get)).await.unwrap().into_inner().app.unwrap()
}

async fn a_change_that_fails_tells_nothing(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let (all, _) = create(&rig, "", &[]).await;
    let bundle = rig.bundle(&app, "one").await;
    let release = rig.publish(&channel, &bundle).await;
    let set = v1::SetRolloutRequest {
        name: release.name.clone(),
        share_ppm: Some(1),
        etag: "r9".into(),
        ..Default::default()
    };
    assert_eq!(reason(rig.releases().set_rollout(rig.ask(set)).await), Reason::EtagMismatch);
    let delete = v1::DeleteReleaseRequest { name: release.name, ..Default::default() };
    assert_eq!(reason(rig.releases().delete_release(rig.ask(delete)).await), Reason::InUse);
    assert_eq!(told(&rig, &all).await.len(), 1);
}

async fn a_changed_plan_is_told(rig: Rig) {
    let (all, _) = create(&rig, "", &[]).await;
    let name = format!("organizations/{}", rig.scope.organization());
    let change = v1::ChangePlanRequest { name, plan: "team".into() };
    rig.operator().change_plan(with(OPERATOR_TOKEN, change)).await.unwrap();
    let plans = rig.operator().list_plans(with(OPERATOR_TOKEN, v1::ListPlansRequest {})).await.unwrap().into_inner();
    let mut plan = plans.plans.into_iter().find(|plan| plan.plan == "team").unwrap();
    plan.builds_per_month = 77;
    rig.operator().update_plan(with(OPERATOR_TOKEN, v1::UpdatePlanRequest { plan: Some(plan) })).await.unwrap();
    let told = told(&rig, &all).await;
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0].1["plan"], &told[1].1["builds_per_month"]), (&"team".into(), &77.into()));
}

/// Opens what is stored as the worker does.
async fn stored(rig: &Rig, webhook: &v1::Webhook) -> (db::webhooks::Webhook, Vec<u8>) {
    let id: WebhookId = webhook.name.trim_start_matches("webhooks/").parse().unwrap();
    let row = rig.db.read(move |conn| db::webhooks::find(conn, &id)).await.unwrap().unwrap();
    let vault = Vault::new(&[], &Secret::from("pepper-pepper-pepper-pepper-pepper")).unwrap();
    let sealed = Sealed { master_key: row.master_key.clone(), bytes: row.sealed_secret.clone() };
    let opened = vault.open(row.id.as_str(), &sealed).unwrap().to_vec();
    (row, opened)
}

async fn a_secret_is_shown_once_and_its_successor_keeps_it_for_a_while(rig: Rig) {
    use base64::Engine as _;
    let bytes = |secret: &str| {
        base64::engine::general_purpose::STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
    };
    let (webhook, secret) = create(&rig, "", &["release.created"]).await;
    let (first, opened) = stored(&rig, &webhook).await;
    assert_eq!((bytes(&secret), opened.len()), (opened, 32));
    let get = || v1::GetWebhookRequest { name: webhook.name.clone() };
    let shown = rig.webhooks().get_webhook(rig.ask(get())).await.unwrap().into_inner();
    assert_eq!(shown.webhook, Some(webhook.clone()));
    assert!(!format!("{shown:?}").contains(&secret[6..]));
    let rotate = |keep_seconds| v1::RotateWebhookSecretRequest { name: webhook.name.clone(), keep_seconds };
    let rotated = rig.webhooks().rotate_webhook_secret(rig.ask(rotate(3_600))).await.unwrap().into_inner();
    let (second, opened) = stored(&rig, &webhook).await;
    assert_eq!(bytes(&rotated.secret), opened);
    assert_eq!(second.previous_secret, Some(first.sealed_secret));
    let left = rotated.webhook.unwrap().previous_secret_until_us - crate::rig::now().as_us();
    assert!((3_500_000_000..=3_600_000_000).contains(&left), "{left}");
    rig.webhooks().rotate_webhook_secret(rig.ask(rotate(0))).await.unwrap();
    assert_eq!(stored(&rig, &webhook).await.0.previous_secret, None);
    for wrong in [-1, 2_592_001] {
        assert_eq!(reason(rig.webhooks().rotate_webhook_secret(rig.ask(rotate(wrong))).await), Reason::InvalidField);
    }
    // The audit log knows where to, not the path, which may be a secret.
    let list = v1::ListAuditEntriesRequest::default();
    let log = format!("{:?}", rig.audit().list_audit_entries(rig.ask(list)).await.unwrap().into_inner());
    assert!(log.contains("hooks.example.com") && !log.contains("secret/path") && !log.contains(&secret[6..]));
}

async fn addresses_and_events_are_checked(rig: Rig) {
    let request = |url: &str, events: &[&str]| v1::CreateWebhookRequest {
        url: url.into(),
        events: events.iter().map(|&event| event.to_owned()).collect(),
        ..Default::default()
    };
    for url in ["", "http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/x"] {
        assert_eq!(
            reason(rig.webhooks().create_webhook(rig.ask(request(url, &[]))).await),
            Reason::InvalidField,
            "{url}"
        );
    }
    for event in ["release", "webhook.test", "job.dead"] {
        let refused = rig.webhooks().create_webhook(rig.ask(request(URL, &[event]))).await;
        assert_eq!(reason(refused), Reason::InvalidField, "{event}");
    }
    let (webhook, _) = create(&rig, "", &["upload.ready", "upload.ready"]).await;
    assert_eq!(webhook.events, ["upload.ready"]);
    let update = |url: &str, paths: &[&str], etag: &str| v1::UpdateWebhookRequest {
        webhook: Some(v1::Webhook { name: webhook.name.clone(), url: url.into(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }),
        etag: etag.into(),
    };
    for (url, paths) in [("https://10.0.0.1/", &["url"][..]), (URL, &[]), (URL, &["app"])] {
        let refused = rig.webhooks().update_webhook(rig.ask(update(url, paths, ""))).await;
        assert_eq!(reason(refused), Reason::InvalidField);
    }
    let stale = rig.webhooks().update_webhook(rig.ask(update(URL, &["url"], "r9"))).await;
    assert_eq!(reason(stale), Reason::EtagMismatch);
    let moved = rig.webhooks().update_webhook(rig.ask(update("https://b.example/", &["url"], &webhook.etag))).await;
    let moved = moved.unwrap().into_inner().webhook.unwrap();
    assert_eq!((moved.url.as_str(), moved.enabled, moved.events), ("https://b.example/", true, webhook.events));
    // Where the operator trusts everybody, a neighbour may be told.
    let trusting = control_plane::Config { webhooks_to_private_networks: true, ..config() };
    let (server, _control_plane) = serve_with(&rig.db, &rig.store, Clock::system(), trusting).await;
    let rig = rig.served_by(server);
    rig.webhooks().create_webhook(rig.ask(request("http://127.0.0.1:9000/", &[]))).await.unwrap();
}

async fn a_message_is_sent_again_with_the_same_id(rig: Rig) {
    let (webhook, _) = create(&rig, "", &[]).await;
    let before = rig.ready_jobs().await;
    let test = || v1::TestWebhookRequest { name: webhook.name.clone() };
    let first = rig.webhooks().test_webhook(rig.ask(test())).await.unwrap().into_inner().delivery.unwrap();
    assert_eq!((first.event.as_str(), first.state.as_str()), ("webhook.test", "pending"));
    let again = || v1::RedeliverWebhookRequest { name: first.name.clone() };
    let second = rig.webhooks().redeliver_webhook(rig.ask(again())).await.unwrap().into_inner().delivery.unwrap();
    assert_ne!(second.name, first.name);
    assert_eq!((second.message_id, second.body), (first.message_id.clone(), first.body.clone()));
    assert_eq!(rig.ready_jobs().await - before, 2);
    let off = v1::UpdateWebhookRequest {
        webhook: Some(v1::Webhook { name: webhook.name.clone(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["enabled".into()] }),
        ..Default::default()
    };
    rig.webhooks().update_webhook(rig.ask(off)).await.unwrap();
    assert_eq!(reason(rig.webhooks().test_webhook(rig.ask(test())).await), Reason::InUse);
    assert_eq!(reason(rig.webhooks().redeliver_webhook(rig.ask(again())).await), Reason::InUse);
    rig.webhooks().delete_webhook(rig.ask(v1::DeleteWebhookRequest { name: webhook.name.clone() })).await.unwrap();
    let get = v1::GetWebhookDeliveryRequest { name: first.name };
    let gone = rig.webhooks().get_webhook_delivery(rig.ask(get)).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

async fn there_are_only_so_many_webhooks(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    for _ in 0..20 {
        create(&rig, "", &[]).await;
    }
    let one_more = |app: &str| v1::CreateWebhookRequest { app: app.into(), url: URL.into(), ..Default::default() };
    assert_eq!(reason(rig.webhooks().create_webhook(rig.ask(one_more(""))).await), Reason::CountLimit);
    rig.webhooks().create_webhook(rig.ask(one_more(&app.name))).await.unwrap();
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let list = v1::ListWebhooksRequest { page_size: 7, page_token };
        let page = rig.webhooks().list_webhooks(rig.ask(list)).await.unwrap().into_inner();
        count += page.webhooks.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(count, 21);
}

async fn a_webhook_of_an_app_does_not_go_with_it(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let (of_app, _) = create(&rig, &app.name, &[]).await;
    let (of_all, _) = create(&rig, "", &[]).await;
    let buyer: Scope = rig.organization("buyer").await;
    let (owner, _) = rig.key(&buyer, Role::Owner).await;
    let offer = v1::OfferAppRequest { name: app.name.clone(), organization_id: buyer.organization().to_string() };
    rig.transfers().offer_app(rig.ask(offer)).await.unwrap();
    let accept = v1::AcceptAppRequest { name: app.name.clone(), ..Default::default() };
    rig.transfers().accept_app(with(&owner, accept)).await.unwrap();
    let get = |name: &str| v1::GetWebhookRequest { name: name.into() };
    for key in [&rig.key, &owner] {
        let gone = rig.webhooks().get_webhook(with(key, get(&of_app.name))).await;
        assert_eq!(reason(gone), Reason::NotFound);
    }
    rig.webhooks().get_webhook(rig.ask(get(&of_all.name))).await.unwrap();
}

async fn a_new_master_key_seals_webhooks_anew(rig: Rig) {
    let (webhook, _) = create(&rig, "", &[]).await;
    let rotate = v1::RotateWebhookSecretRequest { name: webhook.name.clone(), keep_seconds: 60 };
    rig.webhooks().rotate_webhook_secret(rig.ask(rotate)).await.unwrap();
    let (before, secret) = stored(&rig, &webhook).await;
    let key = Secret::from(format!("k1:{}", "1".repeat(64)));
    let newer = control_plane::Config { master_keys: vec![key.clone()], ..config() };
    let (server, _control_plane) = serve_with(&rig.db, &rig.store, Clock::system(), newer).await;
    let rig = rig.served_by(server);
    let reseal = || with(OPERATOR_TOKEN, v1::ResealSecretsRequest {});
    assert_eq!(rig.operator().reseal_secrets(reseal()).await.unwrap().into_inner().resealed, 1);
    assert_eq!(rig.operator().reseal_secrets(reseal()).await.unwrap().into_inner().resealed, 0);
    let id = before.id.clone();
    let after = rig.db.read(move |conn| db::webhooks::find(conn, &id)).await.unwrap().unwrap();
    assert_eq!((after.master_key.as_str(), after.previous_master_key.as_deref()), ("k1", Some("k1")));
    let vault = Vault::new(&[key], &Secret::from("another pepper, which opens nothing")).unwrap();
    let sealed = Sealed { master_key: after.master_key, bytes: after.sealed_secret };
    assert_eq!(*vault.open(after.id.as_str(), &sealed).unwrap(), secret);
}

async fn only_whole_live_credentials_of_admins_deal_with_webhooks(rig: Rig) {
    let (app, _) = rig.app("shop").await;
    let (webhook, _) = create(&rig, "", &[]).await;
    let (developer, _) = rig.key(&rig.scope, Role::Developer).await;
    let (trial, _) = rig.issue(&rig.scope, Environment::Test, &|_| ()).await;
    let limit = |row: &mut db::api_keys::ApiKey| row.scopes = vec![format!("app:{}", app.app_id)];
    let (narrow, _) = rig.issue(&rig.scope, Environment::Live, &limit).await;
    for key in [&developer, &trial, &narrow] {
        let get = v1::GetWebhookRequest { name: webhook.name.clone() };
        assert_eq!(reason(rig.webhooks().get_webhook(with(key, get)).await), Reason::RoleInsufficient);
        let new = v1::CreateWebhookRequest { app: app.name.clone(), url: URL.into(), ..Default::default() };
        assert_eq!(reason(rig.webhooks().create_webhook(with(key, new)).await), Reason::RoleInsufficient);
    }
}
