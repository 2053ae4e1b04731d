//! This file's job is to check what becomes of the numbers that edges hand in.

use crate::on_both_databases;
use crate::rig::{EDGE_TOKEN, Rig, now, reason, with};
use domain::id::EdgeId;
use proto::v1;
use runtime::random;

on_both_databases!(
    numbers_are_added_once_and_shown,
    a_batch_that_breaks_a_rule_is_refused_whole,
    what_devices_downloaded_is_shown_with_what_it_saved,
);

fn tally(app: &v1::App, release: &v1::Release, measure: &str, times: u64) -> v1::Tally {
    v1::Tally {
        app_id: app.app_id.clone(),
        channel_name: "production".into(),
        release_id: release.release_id.clone(),
        measure: measure.into(),
        times,
        ..Default::default()
    }
}

fn batch(tallies: Vec<v1::Tally>) -> v1::PushTalliesRequest {
    let edge_id = EdgeId::from_parts(now(), random::bytes()).to_string();
    v1::PushTalliesRequest { edge_id, ledger: 1, sequence: 1, tallies, other_times: 0 }
}

async fn activity(rig: &Rig, release: &v1::Release) -> v1::ReleaseActivity {
    let request = v1::GetReleaseRequest { name: release.name.clone() };
    rig.releases().get_release(rig.ask(request)).await.unwrap().into_inner().activity.unwrap()
}

async fn numbers_are_added_once_and_shown(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    assert_eq!(activity(&rig, &release).await, v1::ReleaseActivity::default());
    let batch = batch(vec![
        tally(&app, &release, "check-offered", 5),
        tally(&app, &release, "event-launched", 3),
        tally(&app, &release, "event-launched", 1),
        tally(&app, &release, "luck", 9),
    ]);
    let push = async |batch: &v1::PushTalliesRequest| {
        rig.edges().push_tallies(with(EDGE_TOKEN, batch.clone())).await.unwrap().into_inner().repeated
    };
    assert!(!push(&batch).await);
    assert!(push(&batch).await);
    let expected = v1::ReleaseActivity { offered: 5, launched: 4, ..Default::default() };
    assert_eq!(activity(&rig, &release).await, expected);
    assert!(!push(&v1::PushTalliesRequest { sequence: 2, ..batch }).await);
    let expected = v1::ReleaseActivity { offered: 10, launched: 8, ..Default::default() };
    assert_eq!(activity(&rig, &release).await, expected);
}

async fn a_batch_that_breaks_a_rule_is_refused_whole(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let good = batch(vec![tally(&app, &release, "check-offered", 1)]);
    let many = vec![good.tallies[0].clone(); 5_001];
    for broken in [
        v1::PushTalliesRequest { sequence: 0, ..good.clone() },
        v1::PushTalliesRequest { ledger: u64::MAX, ..good.clone() },
        v1::PushTalliesRequest { edge_id: "edg_me".into(), ..good.clone() },
        v1::PushTalliesRequest { tallies: many, ..good },
    ] {
        let refused = rig.edges().push_tallies(with(EDGE_TOKEN, broken)).await;
        assert_eq!(reason(refused), v1::Reason::InvalidField);
    }
    assert_eq!(activity(&rig, &release).await.offered, 0);
}

async fn what_devices_downloaded_is_shown_with_what_it_saved(rig: Rig) {
    let (app, channel) = rig.app("shop").await;
    let release = rig.publish(&channel, &rig.bundle(&app, "one").await).await;
    let served = |product: &str, times, bytes| v1::Tally {
        app_id: app.app_id.clone(),
        bundle_sha256: release.bundle_sha256.clone(),
        measure: product.into(),
        times,
        bytes,
        ..Default::default()
    };
    let elsewhere = v1::Tally { bundle_sha256: crate::rig::sha256(b"another"), ..served("launch", 9, 9) };
    let batch = batch(vec![served("patch-dcz", 10, 7), served("asset", 2, 5), elsewhere]);
    rig.edges().push_tallies(with(EDGE_TOKEN, batch)).await.unwrap();
    let request = v1::GetReleaseRequest { name: release.name.clone() };
    let shown = rig.releases().get_release(rig.ask(request)).await.unwrap().into_inner().served;
    let numbers: Vec<_> = shown.iter().map(|one| (one.product.as_str(), one.downloads, one.bytes)).collect();
    assert_eq!(numbers, [("patch-dcz", 10, 7), ("asset", 2, 5)]);
    assert!(shown[0].full_bytes > 10 && shown[0].full_bytes.is_multiple_of(10), "ten launch files: {shown:?}");
    assert_eq!(shown[1].full_bytes, 0);

    // A list says it in short, of each release; one that brings another bundle has none of it.
    let other = rig.publish(&channel, &rig.bundle(&app, "two").await).await;
    let request = v1::ListReleasesRequest { parent: channel.name.clone(), ..Default::default() };
    let listed = rig.releases().list_releases(rig.ask(request)).await.unwrap().into_inner().releases;
    let bytes: Vec<_> = listed.iter().map(|one| (one.name.as_str(), one.served_bytes)).collect();
    assert_eq!(bytes, [(other.name.as_str(), 0), (release.name.as_str(), 12)]);
}
