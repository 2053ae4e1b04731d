//! This file's job is to check that an upload's stages only go forward, and are told once.

use crate::tenant::Tenant;
use crate::world::{World, after};
use db::uploads::{self, NextState};
use db::{Scope, Tx, UploadState, feed};
use domain::ErrorKind;
use domain::bundle::Stage;
use domain::id::UploadId;

async fn told(world: &World, t: &Tenant) -> Vec<String> {
    let organization = t.scope.organization().clone();
    let entries = world.read(move |c| feed::list_after(c, &organization, 0, 1_000)).await;
    entries.into_iter().map(|entry| entry.stage).filter(|stage| !stage.is_empty()).collect()
}

async fn reach(world: &World, t: &Tenant, stage: Stage) -> bool {
    let (scope, id) = (t.scope.clone(), t.upload.id.clone());
    world.write(move |tx| uploads::reach(tx, &scope, &id, stage, after(9))).await
}

fn move_on(tx: &mut Tx<'_>, scope: &Scope, id: &UploadId, next: &NextState) -> db::Result<()> {
    uploads::set_state(tx, scope, id, UploadState::ALL, next, after(5))
}

async fn set(world: &World, t: &Tenant, next: NextState) {
    let (scope, id) = (t.scope.clone(), t.upload.id.clone());
    world.write(move |tx| move_on(tx, &scope, &id, &next)).await;
}

async fn stage(world: &World, t: &Tenant) -> Option<Stage> {
    let (scope, id) = (t.scope.clone(), t.upload.id.clone());
    world.read(move |c| uploads::get(c, &scope, &id)).await.stage
}

db_test! {
    async fn stages_go_forward_only_and_are_told_once(world) {
        let t = Tenant::create(&world, "one").await;
        assert_eq!(stage(&world, &t).await, None);
        assert!(!reach(&world, &t, Stage::Verified).await, "nobody works on it yet");
        set(&world, &t, NextState::Queued).await;
        assert_eq!(stage(&world, &t).await, Some(Stage::Received));
        set(&world, &t, NextState::Processing).await;
        assert!(reach(&world, &t, Stage::Verified).await);
        assert!(reach(&world, &t, Stage::Parsed).await);
        for again in [Stage::Received, Stage::Verified, Stage::Unpacked, Stage::Parsed] {
            assert!(!reach(&world, &t, again).await, "{again}");
        }
        assert_eq!(stage(&world, &t).await, Some(Stage::Parsed));
        set(&world, &t, NextState::Ready(t.bundle.id.clone())).await;
        assert!(!reach(&world, &t, Stage::Stored).await, "it is ready");
        assert_eq!(stage(&world, &t).await, Some(Stage::Ready));
        assert_eq!(told(&world, &t).await, ["received", "verified", "parsed", "ready"]);
        let (other, id) = (Tenant::create(&world, "two").await, t.upload.id.clone());
        let refused = world.refused(move |tx| uploads::reach(tx, &other.scope, &id, Stage::Stored, after(9))).await;
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    }
}
