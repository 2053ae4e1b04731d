//! This file's job is to check that nobody gets more than their plan allows, and that everybody is told.

use crate::on_both_databases;
use crate::rig::{EDGE_TOKEN, OPERATOR_TOKEN, PATIENCE, Rig, reason, sha256, with};
use db::{Role, Scope};
use proto::v1::{self, Reason};
use std::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

on_both_databases!(
    sixty_four_at_once_get_as_many_uploads_as_the_plan_allows,
    builds_under_way_count_towards_the_month,
    a_request_too_many_is_told_when_to_come_back,
    more_keys_are_no_more_requests_than_the_organization_has,
    the_operator_changes_plans_and_suspends,
    a_suspension_ends_changes_at_once_and_devices_are_served_unless_blocked,
    a_full_plan_closes_registration_until_there_is_room,
    four_fifths_of_the_devices_and_all_of_them_are_told_once_each,
);

/// An organization with a plan of its own numbers, its owner's key and its app.
async fn tenant(rig: &Rig, change: impl FnOnce(&mut v1::Plan)) -> (Scope, String, String) {
    let scope = rig.organization("limited").await;
    let (key, _) = rig.key(&scope, Role::Owner).await;
    let plans =
        rig.operator().list_plans(with(OPERATOR_TOKEN, v1::ListPlansRequest {})).await.unwrap().into_inner().plans;
    let mut plan = plans.into_iter().find(|plan| plan.plan == "pro").unwrap();
    change(&mut plan);
    let update = v1::UpdatePlanRequest { plan: Some(plan) };
    rig.operator().update_plan(with(OPERATOR_TOKEN, update)).await.unwrap();
    let app = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    let app = rig.apps().create_app(with(&key, app)).await.unwrap().into_inner().app.unwrap().name;
    let name = format!("organizations/{}", scope.organization());
    let change = v1::ChangePlanRequest { name, plan: "pro".into() };
    let changed = rig.operator().change_plan(with(OPERATOR_TOKEN, change)).await.unwrap().into_inner();
    assert_eq!(changed.organization.unwrap().plan, "pro");
    (scope, key, app)
}

fn upload(app: &str, number: u32) -> v1::CreateUploadRequest {
    v1::CreateUploadRequest {
        parent: app.into(),
        platform: 1,
        archive_format: 1,
        archive_size_bytes: 5,
        archive_sha256: sha256(&number.to_be_bytes()),
        ..Default::default()
    }
}

#[track_caller]
fn assert_quota(status: &Status, quota: &str, limit: &str, current: &str) {
    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = status.get_details_error_info().unwrap();
    let fact = |key: &str| info.metadata.get(key).map(String::as_str);
    assert_eq!(
        [fact("quota"), fact("limit"), fact("current"), fact("plan")],
        [Some(quota), Some(limit), Some(current), Some("pro")]
    );
    assert_eq!(status.get_details_quota_failure().unwrap().violations[0].subject, quota);
}

async fn sixty_four_at_once_get_as_many_uploads_as_the_plan_allows(rig: Rig) {
    let (_, key, app) = tenant(&rig, |plan| plan.uploads_max = 7).await;
    rig.accounts().get_caller(with(&key, v1::GetCallerRequest {})).await.unwrap();
    let calls: Vec<_> = (0..64)
        .map(|number| {
            let (mut client, request) = (rig.uploads(), with(&key, upload(&app, number)));
            tokio::spawn(async move { client.create_upload(request).await })
        })
        .collect();
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => made.push(answer.into_inner().upload.unwrap().name),
            Err(status) => refused.push(status),
        }
    }
    assert_eq!((made.len(), refused.len()), (7, 57));
    for status in &refused {
        assert_eq!(proto::error::reason_of(status), Some(Reason::QuotaExceeded), "{status:?}");
        assert_quota(status, "open-uploads", "7", "7");
        assert!(status.get_details_retry_info().is_some());
    }
    // One that ends makes room for one.
    let cancel = v1::CancelUploadRequest { name: made.remove(0) };
    rig.uploads().cancel_upload(with(&key, cancel)).await.unwrap();
    rig.uploads().create_upload(with(&key, upload(&app, 100))).await.unwrap();
    assert_eq!(reason(rig.uploads().create_upload(with(&key, upload(&app, 101))).await), Reason::QuotaExceeded);
    // The same content again is no new upload.
    rig.uploads().create_upload(with(&key, upload(&app, 100))).await.unwrap();
    let large = v1::CreateUploadRequest { archive_size_bytes: 16 << 20, ..upload(&app, 102) };
    assert_eq!(reason(rig.uploads().create_upload(with(&key, large)).await), Reason::QuotaExceeded);
}

async fn builds_under_way_count_towards_the_month(rig: Rig) {
    let (scope, key, app) = tenant(&rig, |plan| {
        plan.builds_per_month = 2;
        plan.archive_max_bytes = 5;
    })
    .await;
    let made = rig.uploads().create_upload(with(&key, upload(&app, 1))).await.unwrap().into_inner().upload.unwrap();
    let large = v1::CreateUploadRequest { archive_size_bytes: 6, ..upload(&app, 2) };
    let refused = rig.uploads().create_upload(with(&key, large)).await.unwrap_err();
    assert_eq!(proto::error::reason_of(&refused), Some(Reason::SizeLimit));
    assert_quota(&refused, "archive-size-bytes", "5", "6");
    rig.uploads().create_upload(with(&key, upload(&app, 2))).await.unwrap();
    let refused = rig.uploads().create_upload(with(&key, upload(&app, 3))).await.unwrap_err();
    assert_quota(&refused, "builds-per-month", "2", "2");
    // The first one becomes a build, as a worker makes it one: there is no more room than before.
    let bundle = crate::rig::put_bundle(&rig.db, &scope, app.trim_start_matches("apps/"), "one").await;
    let bundle: domain::id::BundleId = bundle.rsplit('/').next().unwrap().parse().unwrap();
    let id = made.name.rsplit('/').next().unwrap().parse().unwrap();
    let ready = rig.db.write(move |tx| {
        let next = db::uploads::NextState::Ready(bundle.clone());
        db::uploads::set_state(tx, &scope, &id, &[db::UploadState::Receiving], &next, crate::rig::now())
    });
    ready.await.unwrap();
    let refused = rig.uploads().create_upload(with(&key, upload(&app, 3))).await.unwrap_err();
    assert_quota(&refused, "builds-per-month", "2", "2");
    let usage = rig.audit().get_usage(with(&key, v1::GetUsageRequest {})).await.unwrap().into_inner();
    assert_eq!((usage.builds, usage.open_uploads, usage.devices), (1, 1, 0));
}

async fn a_request_too_many_is_told_when_to_come_back(rig: Rig) {
    let (_, key, _) = tenant(&rig, |plan| plan.requests_per_minute = 20).await;
    let begun = Instant::now();
    let status = loop {
        match rig.accounts().get_caller(with(&key, v1::GetCallerRequest {})).await {
            Ok(answer) => {
                assert!(
                    answer.metadata().get("ratelimit-policy").is_some() && answer.metadata().get("ratelimit").is_some()
                );
            }
            Err(status) => break status,
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert_eq!((status.code(), proto::error::reason_of(&status)), (Code::ResourceExhausted, Some(Reason::RateLimited)));
    assert_eq!(status.metadata().get("ratelimit-policy").unwrap().to_str().unwrap(), "\"requests\";q=20;w=60");
    assert!(status.metadata().get("ratelimit").unwrap().to_str().unwrap().starts_with("\"requests\";r=0;t="));
    let seconds: u64 = status.metadata().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    // Others are not held up.
    rig.accounts().get_caller(rig.ask(v1::GetCallerRequest {})).await.unwrap();
}

async fn more_keys_are_no_more_requests_than_the_organization_has(rig: Rig) {
    let (scope, _, _) = tenant(&rig, |plan| plan.requests_per_minute = 4).await;
    let (begun, mut keys) = (Instant::now(), 0);
    let status = loop {
        let (key, _) = rig.key(&scope, Role::Viewer).await;
        keys += 1;
        // Each key asks less often than it may.
        let ask = async || rig.accounts().get_caller(with(&key, v1::GetCallerRequest {})).await;
        if let (_, Err(status)) | (Err(status), Ok(_)) = (ask().await, ask().await) {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert_eq!(proto::error::reason_of(&status), Some(Reason::RateLimited), "{status:?}");
    assert!(keys >= 15, "{keys} keys");
    let policy = status.metadata().get("ratelimit-policy").unwrap().to_str().unwrap();
    assert_eq!(policy, "\"organization-requests\";q=40;w=60");
}

async fn the_operator_changes_plans_and_suspends(rig: Rig) {
    let scope = rig.organization("customer").await;
    let (key, _) = rig.key(&scope, Role::Owner).await;
    let list = v1::ListOrganizationsRequest { page_size: 1, ..Default::default() };
    let first = rig.operator().list_organizations(with(OPERATOR_TOKEN, list)).await.unwrap().into_inner();
    let list = v1::ListOrganizationsRequest { page_size: 1, page_token: first.next_page_token };
    let second = rig.operator().list_organizations(with(OPERATOR_TOKEN, list)).await.unwrap().into_inner();
    assert_eq!(second.organizations[0].slug, "customer");
    let name = second.organizations[0].name.clone();
    let change = |plan: &str| v1::ChangePlanRequest { name: name.clone(), plan: plan.into() };
    rig.operator().change_plan(with(OPERATOR_TOKEN, change("team"))).await.unwrap();
    assert_eq!(reason(rig.operator().change_plan(with(OPERATOR_TOKEN, change("gold"))).await), Reason::InvalidField);
    let usage = rig.audit().get_usage(with(&key, v1::GetUsageRequest {})).await.unwrap().into_inner();
    assert_eq!(usage.plan.unwrap().plan, "team");
    let absent = v1::ResumeOrganizationRequest { name: "organizations/org_00000000000000000000000001".into() };
    assert_eq!(reason(rig.operator().resume_organization(with(OPERATOR_TOKEN, absent)).await), Reason::NotFound);
    // What the operator did stands in the organization's own log.
    let entries = rig
        .audit()
        .list_audit_entries(with(&key, v1::ListAuditEntriesRequest::default()))
        .await
        .unwrap()
        .into_inner()
        .entries;
    assert_eq!((entries[0].action.as_str(), entries[0].actor_kind.as_str()), ("ChangePlan", "operator"));
}

async fn a_suspension_ends_changes_at_once_and_devices_are_served_unless_blocked(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let key = domain::snapshot::ChannelKey {
        app: app.app_id.parse().unwrap(),
        channel: channel.channel_name.parse().unwrap(),
    };
    let blocked = async || {
        let key = key.clone();
        rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap().blocked
    };
    let name = format!("organizations/{}", rig.scope.organization());
    let suspend =
        |block_devices| v1::SuspendOrganizationRequest { name: name.clone(), reason: "late".into(), block_devices };
    for block in [false, true] {
        rig.operator().suspend_organization(with(OPERATOR_TOKEN, suspend(block))).await.unwrap();
        let create = v1::CreateAppRequest { slug: "other".into(), ..Default::default() };
        assert_eq!(reason(rig.apps().create_app(rig.ask(create)).await), Reason::OrganizationSuspended);
        rig.apps().list_apps(rig.ask(v1::ListAppsRequest::default())).await.unwrap();
        assert_eq!(blocked().await, block);
    }
    let resume = v1::ResumeOrganizationRequest { name };
    rig.operator().resume_organization(with(OPERATOR_TOKEN, resume)).await.unwrap();
    assert!(!blocked().await);
    rig.app("other").await;
}

/// Reports registered devices as an edge does; each number is a device.
async fn register(rig: &Rig, app: &str, offset: u64, numbers: std::ops::Range<u8>) {
    let at = domain::Timestamp::from_us(1_790_000_000_000_000);
    let event = |number: u8| v1::TelemetryEvent {
        event_id: domain::id::EventId::from_parts(at, [number; 10]).to_string(),
        app_id: app.trim_start_matches("apps/").into(),
        channel_name: "production".into(),
        device_id: domain::id::DeviceId::from_parts(at, [number; 10]).to_string(),
        kind: "registered".into(),
        platform: 1,
        received_at_us: at.as_us(),
        ..Default::default()
    };
    let batch = v1::PushTelemetryRequest {
        edge_id: domain::id::EdgeId::from_parts(at, [1; 10]).to_string(),
        segment: 1,
        offset,
        events: numbers.map(event).collect(),
    };
    rig.edges().push_telemetry(with(EDGE_TOKEN, batch)).await.unwrap();
}

async fn a_full_plan_closes_registration_until_there_is_room(rig: Rig) {
    let (_, key, app) = tenant(&rig, |plan| plan.devices_max = 3).await;
    let channel =
        v1::CreateChannelRequest { parent: app.clone(), channel_name: "production".into(), ..Default::default() };
    rig.channels().create_channel(with(&key, channel)).await.unwrap();
    let webhook = v1::CreateWebhookRequest {
        url: "https://hooks.example.com/".into(),
        events: vec!["quota.reached".into()],
        ..Default::default()
    };
    let webhook = rig.webhooks().create_webhook(with(&key, webhook)).await.unwrap().into_inner().webhook.unwrap();
    let told = async || {
        let list = v1::ListWebhookDeliveriesRequest { parent: webhook.name.clone(), ..Default::default() };
        rig.webhooks().list_webhook_deliveries(with(&key, list)).await.unwrap().into_inner().deliveries.len()
    };
    let snapshot = async || {
        let key = domain::snapshot::ChannelKey {
            app: app.trim_start_matches("apps/").parse().unwrap(),
            channel: "production".parse().unwrap(),
        };
        let loaded = rig.db.read(move |conn| db::snapshots::load(conn, &key)).await.unwrap().unwrap();
        (loaded.registration_closed, loaded.version.version)
    };
    let devices =
        async || rig.audit().get_usage(with(&key, v1::GetUsageRequest {})).await.unwrap().into_inner().devices;
    register(&rig, &app, 0, 0..2).await;
    let (closed, before) = snapshot().await;
    assert_eq!((devices().await, closed, told().await), (2, false, 0));
    // Devices that are known already do not count again, and edges that do not know it yet let some more in.
    register(&rig, &app, 1, 1..5).await;
    let (closed, after) = snapshot().await;
    assert_eq!((devices().await, closed, told().await), (5, true, 1));
    assert!(after > before, "edges learn of it");
    register(&rig, &app, 2, 5..6).await;
    assert_eq!((snapshot().await, told().await), ((true, after), 1), "told once");
    for (devices_max, open) in [(7, true), (6, false)] {
        let plans = rig.operator().list_plans(with(OPERATOR_TOKEN, v1::ListPlansRequest {})).await.unwrap();
        let mut plan = plans.into_inner().plans.into_iter().find(|plan| plan.plan == "pro").unwrap();
        plan.devices_max = devices_max;
        let update = v1::UpdatePlanRequest { plan: Some(plan) };
        rig.operator().update_plan(with(OPERATOR_TOKEN, update)).await.unwrap();
        assert_eq!(snapshot().await.0, !open);
    }
    let name = usage_name(&rig, &key).await;
    let change = v1::ChangePlanRequest { name, plan: "team".into() };
    rig.operator().change_plan(with(OPERATOR_TOKEN, change)).await.unwrap();
    assert!(!snapshot().await.0);
}

async fn four_fifths_of_the_devices_and_all_of_them_are_told_once_each(rig: Rig) {
    let (_, key, app) = tenant(&rig, |plan| plan.devices_max = 5).await;
    let webhook = v1::CreateWebhookRequest {
        url: "https://hooks.example.com/".into(),
        events: vec!["quota.warning".into(), "quota.reached".into()],
        ..Default::default()
    };
    let webhook = rig.webhooks().create_webhook(with(&key, webhook)).await.unwrap().into_inner().webhook.unwrap();
    let told = async || -> Vec<String> {
        let list = v1::ListWebhookDeliveriesRequest { parent: webhook.name.clone(), ..Default::default() };
        let listed = rig.webhooks().list_webhook_deliveries(with(&key, list)).await.unwrap().into_inner().deliveries;
        listed.into_iter().map(|delivery| delivery.event).rev().collect()
    };
    for (devices, expected) in [
        (0..3, vec![]),
        (3..4, vec!["quota.warning"]),
        (3..4, vec!["quota.warning"]),
        (4..5, vec!["quota.warning", "quota.reached"]),
        (5..6, vec!["quota.warning", "quota.reached"]),
    ] {
        let offset = told().await.len() as u64 * 100 + u64::from(devices.start) * 10 + u64::from(devices.end);
        register(&rig, &app, offset, devices.clone()).await;
        assert_eq!(told().await, expected, "{devices:?}");
    }
}

async fn usage_name(rig: &Rig, key: &str) -> String {
    let caller = rig.accounts().get_caller(with(key, v1::GetCallerRequest {})).await.unwrap().into_inner();
    format!("organizations/{}", caller.organization_id)
}
