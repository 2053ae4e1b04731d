//! This file's job is to check that no scoped verb shows or changes what belongs to another tenant.

use crate::tenant::{Tenant, content, release, upload};
use crate::world::{START, World, after};
use db::uploads::{NextState, Progress};
use db::{Error, Result, Scope, Tx, UploadState, queue};
use domain::ErrorKind;
use domain::bundle::{Blob, Stage};
use domain::job::Job;
use domain::snapshot::TokenKey;
use domain::{Platform, Sha256};

type Probe = Box<dyn Fn(&mut Tx<'_>, &Scope, &Tenant) -> Result<()> + Send + Sync>;

macro_rules! probes {
    ($($name:literal => |$tx:ident, $scope:ident, $t:ident| $call:expr),+ $(,)?) => {
        vec![$(($name, Box::new(|$tx: &mut Tx<'_>, $scope: &Scope, $t: &Tenant| { let _seen = $call?; Ok(()) }) as Probe)),+]
    };
}

/// Verbs that name a row: every one must answer a foreign scope as it answers an id that does not exist.
fn naming() -> Vec<(&'static str, Probe)> {
    let mut probes = naming_reads();
    probes.extend(naming_writes());
    probes
}

fn naming_reads() -> Vec<(&'static str, Probe)> {
    probes![
        "api_keys::get" => |tx, s, t| db::api_keys::get(tx, s, &t.api_key.id),
        "apps::get" => |tx, s, t| db::apps::get(tx, s, &t.app.id),
        "channels::get" => |tx, s, t| db::channels::get(tx, s, &t.channel.id),
        "channels::list" => |tx, s, t| db::channels::list(tx, s, &t.app.id, None, 10),
        "binaries::get" => |tx, s, t| db::binaries::get(tx, s, &t.binary.id),
        "binaries::list" => |tx, s, t| db::binaries::list(tx, s, &t.app.id, None, 10),
        "uploads::get" => |tx, s, t| db::uploads::get(tx, s, &t.upload.id),
        "uploads::list" => |tx, s, t| db::uploads::list(tx, s, &t.app.id, None, 10),
        "bundles::get" => |tx, s, t| db::bundles::get(tx, s, &t.bundle.id),
        "bundles::list" => |tx, s, t| db::bundles::list(tx, s, &t.app.id, None, 10),
        "bundles::files" => |tx, s, t| db::bundles::files(tx, s, &t.bundle.id),
        "bundle_builds::find" => |tx, s, t| db::bundle_builds::find(tx, s, &t.bundle.id),
        "releases::get" => |tx, s, t| db::releases::get(tx, s, &t.release.id),
        "releases::list" => |tx, s, t| db::releases::list(tx, s, &t.channel.id, None, 10),
        "releases::list_of_app" => |tx, s, t| db::releases::list_of_app(tx, s, &t.app.id, None, 10),
        "publishers::list" => |tx, s, t| db::publishers::list(tx, s, &t.app.id),
        "credentials::list" => |tx, s, t| db::credentials::list(tx, s, &t.app.id),
        "device_revocations::list" => |tx, s, t| db::device_revocations::list(tx, s, &t.app.id, None, 10),
        "deployment_keys::list" => |tx, s, t| db::deployment_keys::list(tx, s, &t.channel.id),
        "packages::find" => |tx, s, t| db::packages::find(tx, s, &t.bundle.id),
        "device_pins::list" => |tx, s, t| db::device_pins::list(tx, s, &t.channel.id, None, 10),
    ]
}

fn naming_writes() -> Vec<(&'static str, Probe)> {
    probes![
        "api_keys::expire" => |tx, s, t| db::api_keys::expire(tx, s, &t.api_key.id, START, START),
        "api_keys::apply" => |tx, s, t| db::api_keys::apply(tx, s, &t.api_key.id, &Default::default(), START),
        "api_keys::revoke" => |tx, s, t| db::api_keys::revoke(tx, s, &t.api_key.id, START),
        "members::set_role" => |tx, s, t| db::members::set_role(tx, s, &t.member.account, db::Role::Viewer),
        "members::delete" => |tx, s, t| db::members::delete(tx, s, &t.member.account),
        "apps::insert" => |tx, s, t| db::apps::insert(tx, s, &t.app),
        "apps::apply" => |tx, s, t| db::apps::apply(tx, s, &t.app.id, 1, &Default::default(), START),
        "apps::delete" => |tx, s, t| db::apps::delete(tx, s, &t.app.id, None, START),
        "apps::insert_token_key" => |tx, s, t| {
            db::apps::insert_token_key(tx, s, &t.app.id, &TokenKey { generation: 9, secret: [0; 32] }, START)
        },
        "apps::delete_token_key" => |tx, s, t| db::apps::delete_token_key(tx, s, &t.app.id, 1, START),
        "channels::insert" => |tx, s, t| db::channels::insert(tx, s, &t.channel),
        "channels::apply" => |tx, s, t| db::channels::apply(tx, s, &t.channel.id, 1, &Default::default(), START),
        "channels::delete" => |tx, s, t| db::channels::delete(tx, s, &t.channel.id, None, START),
        "binaries::insert" => |tx, s, t| db::binaries::insert(tx, s, &t.binary),
        "binaries::apply" => |tx, s, t| db::binaries::apply(tx, s, &t.binary.id, 1, &Default::default(), START),
        "binaries::delete" => |tx, s, t| db::binaries::delete(tx, s, &t.binary.id, None),
        "uploads::insert" => |tx, s, t| db::uploads::insert(tx, s, &t.upload),
        "uploads::append_received" => |tx, s, t| {
            let progress = Progress {
                expected_received_bytes: 0,
                received_bytes: 1,
                parts: String::new(),
                expires_at: START,
            };
            db::uploads::append_received(tx, s, &t.upload.id, &progress, START)
        },
        "uploads::set_state" => |tx, s, t| {
            db::uploads::set_state(tx, s, &t.upload.id, UploadState::ALL, &NextState::Cancelled, START)
        },
        "uploads::reach" => |tx, s, t| db::uploads::reach(tx, s, &t.upload.id, Stage::Verified, START),
        "bundles::insert_with_files" => |tx, s, t| db::bundles::insert_with_files(tx, s, &t.bundle, &t.files),
        "bundle_builds::set" => |tx, s, t| db::bundle_builds::set(tx, s, &crate::bundle_builds::build(t)),
        "bundles::delete" => |tx, s, t| db::bundles::delete(tx, s, &t.old_bundle.id),
        "deltas::apply" => |tx, s, t| db::deltas::apply(tx, s, &t.delta),
        "variants::apply" => |tx, s, t| {
            db::variants::apply(tx, s, &t.bundle.id, std::slice::from_ref(&t.variant), START)
        },
        "releases::insert" => |tx, s, t| db::releases::insert(tx, s, &t.release),
        "releases::apply" => |tx, s, t| db::releases::apply(tx, s, &t.release.id, 1, &Default::default(), START),
        "device_revocations::insert" => |tx, s, t| db::device_revocations::insert(tx, s, &t.revocation),
        "device_revocations::delete" => |tx, s, t| {
            db::device_revocations::delete(tx, s, &t.app.id, &t.revocation.device, START)
        },
        "deployment_keys::insert" => |tx, s, t| db::deployment_keys::insert(tx, s, &t.deployment_key),
        "deployment_keys::delete" => |tx, s, t| {
            db::deployment_keys::delete(tx, s, &t.channel.id, &t.deployment_key.key, START)
        },
        "packages::insert" => |tx, s, t| db::packages::insert(tx, s, &t.package),
        "packages::insert_diff" => |tx, s, t| db::packages::insert_diff(tx, s, &t.diff),
        "expo_updates::next_commit" => |tx, s, t| db::expo_updates::next_commit(tx, s, &t.app.id, START),
        "expo_updates::insert" => |tx, s, t| db::expo_updates::insert(tx, s, &crate::expo::told(&t.release)),
        "expo_updates::set_signature" => |tx, s, t| {
            db::expo_updates::set_signature(tx, s, &crate::expo::told(&t.release), START)
        },
        "device_pins::set" => |tx, s, t| db::device_pins::set(tx, s, &t.pin),
        "device_pins::remove" => |tx, s, t| {
            db::device_pins::remove(tx, s, &t.channel.id, &t.pin.device_key, START)
        },
    ]
}

/// Verbs that search: a foreign scope must find nothing.
fn searching(tx: &mut Tx<'_>, s: &Scope, t: &Tenant) -> Result<Vec<(&'static str, bool)>> {
    let new = Sha256::of(b"new");
    let work = Job::ProcessUpload { upload: t.upload.id.clone() };
    Ok(vec![
        ("expo_updates::find", db::expo_updates::find(tx, s, &t.release.id)?.is_some()),
        ("apps::find_by_slug", db::apps::find_by_slug(tx, s, &t.app.slug)?.is_some()),
        ("apps::list", !db::apps::list(tx, s, None, 10)?.is_empty()),
        ("api_keys::list", !db::api_keys::list(tx, s, None, 10)?.is_empty()),
        ("members::list", !db::members::list(tx, s, None, 10)?.is_empty()),
        ("channels::find_by_name", db::channels::find_by_name(tx, s, &t.app.id, &t.channel.name)?.is_some()),
        (
            "binaries::find_by_version",
            db::binaries::find_by_version(tx, s, &t.app.id, Platform::Ios, "1.0.0", "42")?.is_some(),
        ),
        (
            "binaries::embedded_bundles",
            !db::binaries::embedded_bundles(tx, s, &t.app.id, Platform::Ios, 10)?.is_empty(),
        ),
        (
            "uploads::find_active_same",
            db::uploads::find_active_same(tx, s, &t.app.id, Platform::Ios, &t.upload.archive_sha256)?.is_some(),
        ),
        ("plans::usage", db::plans::usage(tx, s, START)?.open_uploads > 0),
        (
            "bundles::find_by_hash",
            db::bundles::find_by_hash(tx, s, &t.app.id, Platform::Ios, &t.bundle.content_hash)?.is_some(),
        ),
        ("blobs::find_many", !db::blobs::find_many(tx, s, &[new])?.is_empty()),
        ("variants::list_for", !db::variants::list_for(tx, s, &[new])?.is_empty()),
        ("blobs::get", db::blobs::get(tx, s, &new).is_ok()),
        (
            "packages::find_bundle",
            db::packages::find_bundle(tx, s, &t.app.id, Platform::Ios, &t.package.package_hash)?.is_some(),
        ),
        ("releases::find_by_seq", db::releases::find_by_seq(tx, s, &t.channel.id, 1)?.is_some()),
        ("releases::find_latest", db::releases::find_latest(tx, s, &t.channel.id, Platform::Ios)?.is_some()),
        ("members::find", db::members::find(tx, s, &t.member.account)?.is_some()),
        ("members::count_owners", db::members::count_owners(tx, s)? > 0),
        ("audit::list", !db::audit::list(tx, s, None, 10)?.is_empty()),
        ("queue::find", queue::find(tx, s, &work)?.is_some()),
    ])
}

async fn enqueue(world: &World, tenant: &Tenant) {
    let new = queue::NewJob {
        id: domain::id::JobId::from_parts(START, world.draw()),
        tier: tenant.organization.tier,
        organization: tenant.organization.id.clone(),
        app: Some(tenant.app.id.clone()),
        work: Job::ProcessUpload { upload: tenant.upload.id.clone() },
        cost: 1,
        run_at: START,
    };
    world.write(move |tx| queue::enqueue(tx, &new, START)).await;
}

db_test! {
    async fn a_foreign_row_is_answered_like_an_absent_one(world) {
        let ours = Tenant::create(&world, "ours").await;
        // A stranger with nothing, so that what it searches for can only be ours.
        let stranger = {
            let id = domain::id::OrganizationId::from_parts(START, world.draw());
            let row = db::organizations::Organization { id: id.clone(), slug: "stranger".into(), ..ours.organization.clone() };
            world.write(move |tx| db::organizations::insert(tx, &row)).await;
            Scope::authorized(id)
        };
        enqueue(&world, &ours).await;
        let t = ours.clone();
        world.write(move |tx| db::expo_updates::insert(tx, &t.scope, &crate::expo::told(&t.release))).await;
        for (name, probe) in naming() {
            let (t, s) = (ours.clone(), stranger.clone());
            let error = world.refused(move |tx| probe(tx, &s, &t)).await;
            assert!(matches!(error, Error::NotFound { .. }), "{name}: {error:?}");
        }
        let (t, s) = (ours.clone(), stranger.clone());
        for (name, found) in world.write(move |tx| searching(tx, &s, &t)).await {
            assert!(!found, "{name} shows a foreign row");
        }
        // The control: the same probes do work for the owner, each in a transaction that is given up.
        for (name, probe) in naming_reads() {
            let t = ours.clone();
            assert!(world.db.write(move |tx| probe(tx, &t.scope, &t)).await.is_ok(), "{name} hides the owner's row");
        }
        let t = ours.clone();
        for (name, found) in world.write(move |tx| searching(tx, &t.scope, &t)).await {
            assert!(found, "{name} hides the owner's row");
        }
    }
}

db_test! {
    async fn two_tenants_use_the_same_names_and_content(world) {
        let (one, two) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        assert_eq!(one.app.slug, two.app.slug);
        assert_eq!(one.bundle.content_hash, two.bundle.content_hash);
        let (t, foreign) = (one.clone(), two.clone());
        world.write(move |tx| db::apps::delete(tx, &t.scope, &t.app.id, Some(1), after(1))).await;
        let still = world.read(move |conn| db::bundles::files(conn, &foreign.scope, &foreign.bundle.id)).await;
        assert_eq!(still, two.files);
    }
}

db_test! {
    async fn a_release_takes_only_bundles_and_channels_of_its_app(world) {
        let (one, two) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let stolen = release(&world, &one.channel, Some(&two.bundle));
        let scope = one.scope.clone();
        let error = world.refused(move |tx| db::releases::insert(tx, &scope, &stolen)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let elsewhere = db::releases::Release { app: one.app.id.clone(), ..release(&world, &two.channel, Some(&one.bundle)) };
        let scope = one.scope.clone();
        let error = world.refused(move |tx| db::releases::insert(tx, &scope, &elsewhere)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let pin = db::device_pins::Pin { release: two.release.id.clone(), ..one.pin.clone() };
        let scope = one.scope.clone();
        let error = world.refused(move |tx| db::device_pins::set(tx, &scope, &pin)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

db_test! {
    async fn a_bundle_needs_blobs_of_its_own_organization(world) {
        let (one, two) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let (files, blobs) = content("only two has this");
        let scope = two.scope.clone();
        world.write(move |tx| db::blobs::insert_missing(tx, &scope, &blobs, START)).await;
        let row = crate::tenant::bundle(&world, &one.app.id, &files);
        let (scope, stolen) = (one.scope.clone(), files.clone());
        let error = world.refused(move |tx| db::bundles::insert_with_files(tx, &scope, &row, &stolen)).await;
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        let hashes = [Sha256::of(b"only two has this"), Sha256::of(b"logo")];
        let scope = one.scope.clone();
        let known = world.read(move |conn| db::blobs::find_many(conn, &scope, &hashes)).await;
        assert_eq!(known, [Blob::of(b"logo")]);
    }
}

db_test! {
    async fn an_upload_belongs_to_the_scope_that_started_it(world) {
        let (one, two) = (Tenant::create(&world, "one").await, Tenant::create(&world, "two").await);
        let row = upload(&world, &two.app.id);
        let scope = one.scope.clone();
        let error = world.refused(move |tx| db::uploads::insert(tx, &scope, &row)).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
