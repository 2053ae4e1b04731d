//! This file's job is to show that operators steer what devices get, and that devices follow.

use crate::world::{check_until, in_both_shapes, is_settled, offers, running, update_to};
use standalone::demo::protocol::Action;

#[tokio::test]
async fn a_rollback_brings_devices_back_and_going_on_brings_them_forward() {
    in_both_shapes(async |world| {
        let mut device = world.device().await;
        world.release("v1", &[]);
        update_to(&mut device, "v1").await;
        let old = running(&device);
        world.release("v3", &[]);
        update_to(&mut device, "v2").await;

        let back = world.channel(&["rollback"]);
        assert!(back.to_string().contains("\"v3\""), "{back}");
        update_to(&mut device, "v3").await;
        assert_eq!(running(&device), old, "the rollback brings the old content under a new label");

        world.channel(&["rollback", "--embedded"]);
        let checked = check_until(&device, |checked| checked.page.action == Action::Embedded).await;
        device.follow(&checked.page).await.unwrap();
        device.restart();
        assert_eq!(running(&device), None);
        assert!(is_settled(&device.check().await.unwrap()));
    })
    .await;
}

#[tokio::test]
async fn pausing_disabling_and_pinning_do_what_they_say() {
    in_both_shapes(async |world| {
        let (mut early, late) = (world.device().await, world.device().await);
        world.release("v1", &[]);
        update_to(&mut early, "v1").await;

        world.channel(&["rollout", "pause"]);
        check_until(&late, is_settled).await;
        assert!(is_settled(&early.check().await.unwrap()), "those that run it keep it");
        world.channel(&["pin", &late.id(), "v1"]);
        check_until(&late, |checked| offers(checked, "v1")).await;
        world.channel(&["unpin", &late.id()]);
        check_until(&late, is_settled).await;

        world.channel(&["rollout", "resume"]);
        check_until(&late, |checked| offers(checked, "v1")).await;
        world.channel(&["releases", "update", "v1", "--disable"]);
        check_until(&late, is_settled).await;
        world.channel(&["releases", "update", "v1", "--enable", "--mandatory", "true"]);
        let checked = check_until(&late, |checked| offers(checked, "v1")).await;
        assert!(checked.page.update.unwrap().mandatory);

        let app = |command: &[&str]| world.cli().json(&[command, &["--app", "trailhead"]].concat());
        app(&["device", "rotate-key", "--retire-earlier"]);
        check_until(&late, |checked| offers(checked, "v1")).await;

        world.channel(&["rollout", "set", "0%", "--retreat", "now"]);
        check_until(&early, |checked| checked.page.action == Action::Embedded).await;
    })
    .await;
}

#[tokio::test]
async fn promoting_offers_the_same_content_in_the_other_channel() {
    in_both_shapes(async |world| {
        let _ = world.cli().json(&["channel", "create", "beta", "--app", "trailhead"]);
        let folder = tests::corpus("v1", "android/hermes").display().to_string();
        let options = ["--app", "trailhead", "--channel", "beta", "--platform", "android", "--binary-range", "1.x"];
        let beta = world.cli().json(&[&["release", folder.as_str()], options.as_slice()].concat());
        let mut device = world.device().await;
        assert!(is_settled(&device.check().await.unwrap()), "production does not see what is in beta");
        let _ = world.cli().json(&[
            "promote",
            "--release",
            "v1",
            "--app",
            "trailhead",
            "--channel",
            "beta",
            "--to",
            "production",
        ]);
        update_to(&mut device, "v1").await;
        assert_eq!(beta["releases"][0]["bundle_sha256"], running(&device).unwrap().to_hex());
    })
    .await;
}
