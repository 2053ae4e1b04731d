//! This file's job is to check that what was done stands in one unbroken chain.

use crate::on_both_databases;
use crate::rig::{Rig, with};
use db::Role;
use domain::Sha256;
use domain::audit::GENESIS;
use proto::v1;

on_both_databases!(
    changes_made_at_once_stand_in_one_chain,
    a_change_that_fails_leaves_no_entry,
    what_a_caller_may_not_do_is_written_down_a_few_times,
    a_changed_plan_is_in_the_log_of_every_organization_that_has_it,
);

async fn export(rig: &Rig, key: &str) -> Vec<v1::AuditEntry> {
    let mut stream = rig
        .audit()
        .export_audit_entries(with(key, v1::ExportAuditEntriesRequest::default()))
        .await
        .unwrap()
        .into_inner();
    let mut entries = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        entries.extend(answer.entries);
    }
    entries
}

/// Computes the chain anew; returns the number of the first entry that does not fit.
fn first_break(entries: &[v1::AuditEntry]) -> Option<u64> {
    let mut previous = GENESIS;
    for (index, entry) in entries.iter().enumerate() {
        let seq = index as u64 + 1;
        let hash = proto::convert::link_from_wire(entry).hash(&previous);
        let fits =
            entry.seq == seq && entry.previous_hash == previous.as_bytes()[..] && entry.hash == hash.as_bytes()[..];
        if !fits {
            return Some(seq);
        }
        previous = Sha256::try_from(&entry.hash[..]).unwrap();
    }
    None
}

async fn changes_made_at_once_stand_in_one_chain(rig: Rig) {
    let calls: Vec<_> = (0..24)
        .map(|number| {
            let request = v1::CreateAppRequest { slug: format!("app-{number}"), ..Default::default() };
            let (mut client, request) = (rig.apps(), rig.ask(request));
            tokio::spawn(async move { client.create_app(request).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let mut entries = export(&rig, &rig.key).await;
    assert_eq!((entries.len(), first_break(&entries)), (24, None));
    let page = v1::ListAuditEntriesRequest { page_size: 5, ..Default::default() };
    let page = rig.audit().list_audit_entries(rig.ask(page)).await.unwrap().into_inner();
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [24, 23, 22, 21, 20]);
    // A changed, a removed and a swapped entry are noticed.
    let mut removed = entries.clone();
    removed.remove(7);
    assert_eq!(first_break(&removed), Some(8));
    let mut swapped = entries.clone();
    swapped.swap(3, 4);
    assert_eq!(first_break(&swapped), Some(4));
    entries[10].resource.push('x');
    assert_eq!(first_break(&entries), Some(11));
}

async fn a_change_that_fails_leaves_no_entry(rig: Rig) {
    rig.app("shop").await;
    let before = export(&rig, &rig.key).await;
    let again = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    rig.apps().create_app(rig.ask(again)).await.unwrap_err();
    assert_eq!(export(&rig, &rig.key).await, before);
    // Another organization's log is another chain, which begins at 1.
    let scope = rig.organization("other").await;
    let (key, _) = rig.key(&scope, Role::Owner).await;
    let app = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    rig.apps().create_app(with(&key, app)).await.unwrap();
    let entries = export(&rig, &key).await;
    assert_eq!((entries.len(), first_break(&entries)), (1, None));
    let (viewer, _) = rig.key(&scope, Role::Viewer).await;
    rig.audit().list_audit_entries(with(&viewer, v1::ListAuditEntriesRequest::default())).await.unwrap_err();
}

async fn what_a_caller_may_not_do_is_written_down_a_few_times(rig: Rig) {
    let (viewer, id) = rig.key(&rig.scope, db::Role::Viewer).await;
    let create = |slug: &str| v1::CreateAppRequest { slug: slug.into(), ..Default::default() };
    for number in 0..25 {
        rig.apps().create_app(with(&viewer, create(&format!("app-{number}")))).await.unwrap_err();
    }
    rig.apps().list_apps(with(&viewer, v1::ListAppsRequest::default())).await.unwrap();
    let entries = export(&rig, &rig.key).await;
    assert_eq!(first_break(&entries), None, "refusals are links like all others");
    let denied: Vec<_> = entries.iter().filter(|entry| entry.outcome == "denied").collect();
    assert_eq!(denied.len(), 20, "a program that goes on does not fill the log");
    assert_eq!((denied[0].action.as_str(), denied[0].actor_id.as_str()), ("CreateApp", id.as_str()));
}

async fn a_changed_plan_is_in_the_log_of_every_organization_that_has_it(rig: Rig) {
    let other = rig.organization("other").await;
    let (other_key, _) = rig.key(&other, db::Role::Owner).await;
    let elsewhere = rig.organization("elsewhere").await;
    let (elsewhere_key, _) = rig.key(&elsewhere, db::Role::Owner).await;
    let as_operator = |plan: v1::Plan| with(crate::rig::OPERATOR_TOKEN, v1::UpdatePlanRequest { plan: Some(plan) });
    let move_away =
        v1::ChangePlanRequest { name: format!("organizations/{}", elsewhere.organization()), plan: "free".into() };
    rig.operator().change_plan(with(crate::rig::OPERATOR_TOKEN, move_away)).await.unwrap();
    let plan = v1::Plan {
        plan: "enterprise".into(),
        tier: "p0".into(),
        uploads_max: 7,
        archive_max_bytes: 1,
        builds_per_month: 1,
        requests_per_minute: 60_000,
        devices_max: 1,
        retention_days: 1,
    };
    rig.operator().update_plan(as_operator(plan)).await.unwrap();
    for (key, expected) in [(&rig.key, 1), (&other_key, 1), (&elsewhere_key, 0)] {
        let entries = export(&rig, key).await;
        let changes: Vec<_> = entries.iter().filter(|entry| entry.action == "UpdatePlan").collect();
        assert_eq!(changes.len(), expected);
        assert!(changes.iter().all(|entry| entry.detail.contains("uploads_max: 7")), "{changes:?}");
    }
}
