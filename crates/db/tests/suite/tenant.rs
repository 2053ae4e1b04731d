//! This file's job is to fill a database with one tenant that has one of everything.

use crate::world::{START, World};
use db::accounts::Account;
use db::api_keys::ApiKey;
use db::apps::App;
use db::audit::Entry;
use db::binaries::Binary;
use db::bundles::Bundle;
use db::channels::Channel;
use db::deltas::Delta;
use db::deployment_keys::Key;
use db::device_pins::Pin;
use db::device_revocations::Revocation;
use db::members::Member;
use db::organizations::Organization;
use db::packages::{Diff, Package};
use db::releases::Release;
use db::uploads::Upload;
use db::variants::Variant;
use db::{AuditOutcome, ReleaseOrigin, Role, Scope, TargetKind, UploadState};
use domain::bundle::{Blob, BundleFile, Coding, Engine, FileRole, content_hash};
use domain::device::DeviceKey;
use domain::id::{
    ApiKeyId, AppId, AuditId, BinaryId, BundleId, ChannelId, OrganizationId, ReleaseId, UploadId, UserId,
};
use domain::job::{DeltaEffort, Tier};
use domain::release::{Retreat, RolloutState};
use domain::snapshot::TokenKey;
use domain::warning::{Warning, WarningKind};
use domain::{Platform, Ppm, Sha256};

/// A tenant and the rows that were made for it.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub scope: Scope,
    pub organization: Organization,
    pub member: Member,
    pub api_key: ApiKey,
    pub app: App,
    pub channel: Channel,
    pub binary: Binary,
    pub upload: Upload,
    pub old_bundle: Bundle,
    pub bundle: Bundle,
    pub files: Vec<BundleFile>,
    pub delta: Delta,
    pub variant: Variant,
    pub release: Release,
    pub pin: Pin,
    pub revocation: Revocation,
    pub deployment_key: Key,
    pub package: Package,
    pub diff: Diff,
    pub audit: Entry,
    pub token_key: TokenKey,
}

/// A bundle of two files, whose launch file holds this text.
pub fn content(text: &str) -> (Vec<BundleFile>, Vec<Blob>) {
    let parts = [("assets/logo.png", "logo", FileRole::Asset), ("index.bundle", text, FileRole::Launch)];
    let files = parts.iter().map(|(path, text, role)| BundleFile {
        path: (*path).to_owned(),
        sha256: Sha256::of(text.as_bytes()),
        size_bytes: text.len() as u64,
        role: *role,
    });
    (files.collect(), parts.iter().map(|(_, text, _)| Blob::of(text.as_bytes())).collect())
}

/// One warning, with quotes in it.
pub fn warning() -> Warning {
    Warning { kind: WarningKind::DebugBundle, message: "\"index.bundle\" is a debug bundle".into() }
}

pub fn bundle(world: &World, app: &AppId, files: &[BundleFile]) -> Bundle {
    Bundle {
        id: BundleId::from_parts(START, world.draw()),
        app: app.clone(),
        platform: Platform::Ios,
        content_hash: content_hash(files),
        engine: Engine::Hermes,
        hermes_version: Some(96),
        launch_path: "index.bundle".into(),
        file_count: files.len() as u32,
        total_size_bytes: files.iter().map(|file| file.size_bytes).sum(),
        warnings: vec![warning()],
        created_at: START,
    }
}

pub fn release(world: &World, channel: &Channel, bundle: Option<&Bundle>) -> Release {
    Release {
        id: ReleaseId::from_parts(START, world.draw()),
        app: channel.app.clone(),
        channel: channel.id.clone(),
        seq: 0,
        platform: Platform::Ios,
        bundle: bundle.map(|bundle| bundle.id.clone()),
        target_kind: TargetKind::BinaryRange,
        target_value: "1.x".into(),
        mandatory: false,
        enabled: true,
        notes: "Fixes ünïcode".into(),
        warnings: vec![warning()],
        rollout_state: RolloutState::Active,
        rollout_ppm: Ppm::ALL,
        rollout_salt: "salt".into(),
        rollout_retreat: Retreat::Stay,
        origin: ReleaseOrigin::Publish,
        origin_release: None,
        revision: 1,
        created_by: "key".into(),
        created_at: START,
        updated_at: START,
    }
}

pub fn upload(world: &World, app: &AppId) -> Upload {
    Upload {
        id: UploadId::from_parts(START, world.draw()),
        app: app.clone(),
        platform: Platform::Ios,
        state: UploadState::Receiving,
        stage: None,
        archive_format: "zip".into(),
        archive_sha256: Sha256::of(b"archive"),
        archive_size_bytes: 1_000,
        received_bytes: 0,
        parts: "[]".into(),
        known_files: "[]".into(),
        bundle: None,
        failure_reason: None,
        failure_message: None,
        warnings: Vec::new(),
        request_id: None,
        created_by: "key".into(),
        created_at: START,
        updated_at: START,
        expires_at: crate::world::after(3_600),
    }
}

impl Tenant {
    /// Makes a tenant. Its names are made of `name`; its contents are the same for every tenant.
    pub async fn create(world: &World, name: &str) -> Self {
        let made = Self::rows(world, name);
        let tenant = made.clone();
        let release = world
            .write(move |tx| {
                let t = &tenant;
                db::organizations::insert(tx, &t.organization)?;
                let account = Account {
                    id: t.member.account.clone(),
                    email: format!("{}@example.org", t.organization.slug).parse().unwrap(),
                    name: "A Person".into(),
                    password_hash: None,
                    email_verified_at: None,
                    created_at: START,
                };
                db::accounts::insert(tx, &account)?;
                db::members::insert(tx, &t.member)?;
                db::api_keys::insert(tx, &t.api_key)?;
                db::apps::insert(tx, &t.scope, &t.app)?;
                db::apps::insert_token_key(tx, &t.scope, &t.app.id, &t.token_key, START)?;
                db::channels::insert(tx, &t.scope, &t.channel)?;
                db::binaries::insert(tx, &t.scope, &t.binary)?;
                db::uploads::insert(tx, &t.scope, &t.upload)?;
                for (text, bundle) in [("old", &t.old_bundle), ("new", &t.bundle)] {
                    let (files, blobs) = content(text);
                    db::blobs::insert_missing(tx, &t.scope, &blobs, START)?;
                    db::bundles::insert_with_files(tx, &t.scope, bundle, &files)?;
                }
                let more = [b"patch".as_slice(), b"nw", b"whole", b"diffs"].map(Blob::of);
                db::blobs::insert_missing(tx, &t.scope, &more, START)?;
                let release = db::releases::insert(tx, &t.scope, &t.release)?;
                db::deltas::apply(tx, &t.scope, &t.delta)?;
                db::variants::apply(tx, &t.scope, &t.bundle.id, std::slice::from_ref(&t.variant), START)?;
                db::device_pins::set(tx, &t.scope, &t.pin)?;
                db::device_revocations::insert(tx, &t.scope, &t.revocation)?;
                db::deployment_keys::insert(tx, &t.scope, &t.deployment_key)?;
                db::packages::insert(tx, &t.scope, &t.package)?;
                db::packages::insert_diff(tx, &t.scope, &t.diff)?;
                db::audit::insert(tx, &t.audit)?;
                Ok(release)
            })
            .await;
        Self { release, ..made }
    }

    fn rows(world: &World, name: &str) -> Self {
        let organization = organization(world, name);
        let app = App {
            id: AppId::from_parts(START, world.draw()),
            organization: organization.id.clone(),
            slug: "shop".parse().unwrap(),
            name: "Shop".into(),
            revision: 1,
            created_at: START,
            updated_at: START,
        };
        let id = ChannelId::from_parts(START, world.draw());
        let channel = Channel::new(id, app.id.clone(), "production".parse().unwrap(), START);
        let (old_files, _) = content("old");
        let (files, _) = content("new");
        let old_bundle = bundle(world, &app.id, &old_files);
        let new_bundle = bundle(world, &app.id, &files);
        let release = release(world, &channel, Some(&new_bundle));
        let delta = Delta {
            from_bundle: old_bundle.id.clone(),
            to_bundle: new_bundle.id.clone(),
            format: "dcz".into(),
            base_sha256: Sha256::of(b"old"),
            blob_sha256: Sha256::of(b"patch"),
            created_at: START,
        };
        let variant = Variant {
            sha256: Sha256::of(b"new"),
            coding: Coding::Brotli,
            effort: DeltaEffort::Quick,
            blob_sha256: Sha256::of(b"nw"),
        };
        let pin = Pin {
            channel: channel.id.clone(),
            device_key: "device-1".parse::<DeviceKey>().unwrap(),
            release: release.id.clone(),
            created_by: "key".into(),
            created_at: START,
        };
        let upload = upload(world, &app.id);
        Self {
            scope: Scope::authorized(organization.id.clone()),
            member: Member {
                organization: organization.id.clone(),
                account: UserId::from_parts(START, world.draw()),
                role: Role::Owner,
                created_at: START,
            },
            api_key: api_key(world, &organization),
            binary: binary(world, &app.id),
            audit: audit(world, &organization),
            token_key: TokenKey { generation: 1, secret: [7; 32] },
            organization,
            revocation: revocation(world, &app.id),
            deployment_key: deployment_key(name, &channel),
            package: package(&new_bundle),
            diff: diff(&new_bundle),
            app,
            channel,
            upload,
            old_bundle,
            bundle: new_bundle,
            files,
            delta,
            variant,
            release,
            pin,
        }
    }
}

fn organization(world: &World, name: &str) -> Organization {
    Organization {
        id: OrganizationId::from_parts(START, world.draw()),
        slug: name.to_owned(),
        name: name.to_uppercase(),
        tier: Tier::P2,
        suspended: false,
        plan: domain::plan::PlanName::Pro,
        devices_blocked: false,
        created_at: START,
    }
}

fn api_key(world: &World, organization: &Organization) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_parts(START, world.draw()),
        organization: organization.id.clone(),
        public_id: format!("cp_live_{}", organization.slug),
        secret_bcrypt: "$2b$12$x".into(),
        name: "CI".into(),
        role: Role::Developer,
        scopes: vec!["releases".into(), "a \"quoted\" one".into()],
        created_by: "user".into(),
        created_at: START,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

fn revocation(world: &World, app: &AppId) -> Revocation {
    Revocation {
        app: app.clone(),
        device: domain::id::DeviceId::from_parts(START, world.draw()),
        created_by: "key".into(),
        created_at: START,
    }
}

fn deployment_key(name: &str, channel: &Channel) -> Key {
    Key {
        key: format!("key-of-tenant-{name}").parse().unwrap(),
        channel: channel.id.clone(),
        platform: Platform::Ios,
        created_by: "key".into(),
        created_at: START,
    }
}

fn package(bundle: &Bundle) -> Package {
    let (package_hash, blob_sha256) = (Sha256::of(b"package"), Sha256::of(b"whole"));
    Package { bundle: bundle.id.clone(), package_hash, blob_sha256, created_at: START }
}

fn diff(bundle: &Bundle) -> Diff {
    let (from_package_hash, blob_sha256) = (Sha256::of(b"old package"), Sha256::of(b"diffs"));
    Diff { to_bundle: bundle.id.clone(), from_package_hash, blob_sha256, created_at: START }
}

fn binary(world: &World, app: &AppId) -> Binary {
    Binary {
        id: BinaryId::from_parts(START, world.draw()),
        app: app.clone(),
        platform: Platform::Ios,
        version: "1.0.0".into(),
        build_number: "42".into(),
        runtime_version: None,
        embedded_bundle_hash: Some(Sha256::of(b"embedded")),
        hermes_version: None,
        embedded_update: None,
        revision: 1,
        created_at: START,
        updated_at: START,
    }
}

fn audit(world: &World, organization: &Organization) -> Entry {
    Entry {
        id: AuditId::from_parts(START, world.draw()),
        organization: organization.id.clone(),
        actor_kind: "api-key".into(),
        actor_id: "key".into(),
        credential_id: None,
        action: "release.create".into(),
        resource: "releases/1".into(),
        outcome: AuditOutcome::Done,
        detail: "{}".into(),
        at: START,
    }
}
