//! This file's job is to check that what was done stands in one unbroken chain.

use crate::on_both_databases;
use crate::rig::{Rig, with};
use db::Role;
use domain::audit::{GENESIS, Link};
use domain::{Sha256, Timestamp};
use proto::v1;

on_both_databases!(changes_made_at_once_stand_in_one_chain, a_change_that_fails_leaves_no_entry);

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
        let texts = [
            entry.id.as_str(),
            &entry.organization_id,
            &entry.actor_kind,
            &entry.actor_id,
            &entry.credential,
            &entry.action,
            &entry.resource,
            &entry.outcome,
            &entry.detail,
        ];
        let seq = index as u64 + 1;
        let hash = Link { seq, at: Timestamp::from_us(entry.at_us), texts }.hash(&previous);
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
