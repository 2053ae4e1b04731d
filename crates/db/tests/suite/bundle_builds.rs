//! This file's job is to check that it is remembered how a bundle was compiled.

use crate::tenant::Tenant;
use crate::world::{START, after};
use db::bundle_builds::BundleBuild;
use domain::Sha256;

pub fn build(t: &Tenant) -> BundleBuild {
    BundleBuild {
        bundle: t.bundle.id.clone(),
        compiler: "hermesc 1.0.0".into(),
        flags: vec!["-O".into(), "a \"quoted\" one".into()],
        base_sha256: Some(Sha256::of(b"old")),
        created_at: START,
    }
}

db_test! {
    async fn what_is_said_last_about_a_build_counts_and_goes_with_the_bundle(world) {
        let t = Tenant::create(&world, "one").await;
        let find = async |t: &Tenant| {
            let (scope, bundle) = (t.scope.clone(), t.bundle.id.clone());
            world.read(move |conn| db::bundle_builds::find(conn, &scope, &bundle)).await
        };
        assert_eq!(find(&t).await, None);
        let second = BundleBuild { flags: vec![], base_sha256: None, created_at: after(1), ..build(&t) };
        for said in [build(&t), second] {
            let (scope, row) = (t.scope.clone(), said.clone());
            world.write(move |tx| db::bundle_builds::set(tx, &scope, &row)).await;
            assert_eq!(find(&t).await, Some(said));
        }
        let r = t.clone();
        world.write(move |tx| db::apps::delete(tx, &r.scope, &r.app.id, None, after(2))).await;
    }
}
