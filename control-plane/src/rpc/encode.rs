//! This file's job is to write rows as the contract's resources.

mod changes;
mod release_details;
mod reports;
mod uploads;

pub use changes::difference;
pub use release_details::release_details;
pub use reports::reports;
pub use uploads::{bundle, package, source_map, upload, whole_bundle};

use crate::app::etag;
use crate::app::explain::Explanation;
use crate::app::people::logins::{self, Polled, Started};
use crate::app::releases::{self, Served, View};
use crate::auth::grant::KeyLimits;
use crate::auth::site::Site;
use crate::error::{Error, Result};
use crate::names;
use bytes::Bytes;
use db::ReleaseOrigin;
use db::accounts::Account;
use db::api_keys::ApiKey;
use db::app_offers::Offered;
use db::apps::App;
use db::binaries::Binary;
use db::bundle_builds::BundleBuild;
use db::channels::Channel;
use db::credentials::Credential;
use db::device_pins::Pin;
use db::expo_updates::ExpoUpdate;
use db::invitations::Invitation;
use db::members::Member;
use db::organizations::Organization;
use db::publishers::Publisher;
use db::sessions::Session;
use domain::decide::Decision;
use domain::expo::UpdateId;
use domain::id::SessionId;
use domain::release::Release;
use domain::{Environment, Timestamp};
use proto::{convert, v1};

/// Writes a person.
pub fn person(account: &Account, places: &[(Organization, Member)]) -> v1::Person {
    v1::Person {
        person_id: account.id.to_string(),
        email: account.email.to_string(),
        display_name: account.name.clone(),
        memberships: places.iter().map(|(organization, member)| membership(organization, member)).collect(),
    }
}

/// Writes a person's place in an organization.
pub fn membership(organization: &Organization, member: &Member) -> v1::Membership {
    v1::Membership {
        organization_id: organization.id.to_string(),
        organization_slug: organization.slug.clone(),
        organization_name: organization.name.clone(),
        role: member.role.to_string(),
        suspended: organization.suspended,
    }
}

/// Writes a member.
pub fn member(account: &Account, member: &Member) -> v1::Member {
    v1::Member {
        person_id: account.id.to_string(),
        email: account.email.to_string(),
        display_name: account.name.clone(),
        role: member.role.to_string(),
        created_at_us: member.created_at.as_us(),
    }
}

/// Writes an invitation.
pub fn invitation(row: &Invitation) -> v1::Invitation {
    v1::Invitation {
        invitation_id: row.id.to_string(),
        email: row.email.to_string(),
        role: row.role.to_string(),
        invited_by: row.invited_by.to_string(),
        created_at_us: row.created_at.as_us(),
        expires_at_us: row.expires_at.as_us(),
    }
}

/// Writes a session; `current` is the one that asks.
pub fn session(row: &Session, current: &SessionId) -> v1::Session {
    v1::Session {
        session_id: row.id.to_string(),
        kind: row.kind.to_string(),
        client: row.client.clone(),
        address: row.address.clone(),
        current: row.id == *current,
        created_at_us: row.created_at.as_us(),
        expires_at_us: row.expires_at.as_us(),
    }
}

/// Writes a login that has just begun.
pub fn started_login(started: Started, site: &Site) -> v1::StartLoginResponse {
    let page = site.page("/login");
    v1::StartLoginResponse {
        device_code: started.device_code,
        verification_uri_complete: format!("{page}?code={}", started.user_code),
        verification_uri: page,
        user_code: started.user_code,
        expires_in_seconds: i64::try_from(logins::LIFETIME.as_secs()).unwrap_or(i64::MAX),
        interval_seconds: started.interval_s.into(),
    }
}

/// Writes what a poll found.
pub fn polled_login(polled: Polled) -> v1::PollLoginResponse {
    match polled {
        Polled::Pending { interval_s, too_soon } => {
            let state = if too_soon { v1::LoginState::SlowDown } else { v1::LoginState::Pending };
            let interval_seconds = interval_s.into();
            v1::PollLoginResponse { state: state.into(), interval_seconds, ..Default::default() }
        }
        Polled::Approved(session) => v1::PollLoginResponse {
            state: v1::LoginState::Approved.into(),
            interval_seconds: 0,
            person: Some(person(&session.account, &session.places)),
            session_token: session.token,
        },
    }
}

/// Writes an app.
pub fn app(row: &App) -> v1::App {
    v1::App {
        name: names::of_app(&row.id),
        app_id: row.id.to_string(),
        slug: row.slug.to_string(),
        display_name: row.name.clone(),
        etag: etag::of(row.revision),
        created_at_us: row.created_at.as_us(),
        updated_at_us: row.updated_at.as_us(),
    }
}

/// Writes an API key, without its secret.
///
/// # Errors
/// When a stored limit cannot be understood.
pub fn api_key(row: &ApiKey) -> Result<v1::ApiKey> {
    let limits = KeyLimits::read(&row.scopes, &row.public_id)
        .map_err(|cause| Error::Broken { what: "a stored key cannot be read", cause: cause.into() })?;
    let at_us = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_us);
    Ok(v1::ApiKey {
        name: names::of_key(&row.id),
        key_id: row.id.to_string(),
        public_id: row.public_id.clone(),
        display_name: row.name.clone(),
        role: row.role.to_string(),
        environment: environment(limits.reach.environment.unwrap_or(Environment::Live)).into(),
        apps: limits.reach.apps.iter().flatten().map(ToString::to_string).collect(),
        actions: limits.grant.permissions().iter().map(ToString::to_string).collect(),
        created_by: row.created_by.clone(),
        created_at_us: row.created_at.as_us(),
        expires_at_us: at_us(row.expires_at),
        revoked_at_us: at_us(row.revoked_at),
        last_used_at_us: at_us(row.last_used_at),
    })
}

/// Writes an app that is offered.
pub fn app_offer(row: &Offered) -> v1::AppOffer {
    v1::AppOffer {
        app: names::of_app(&row.offer.app),
        slug: row.slug.to_string(),
        display_name: row.name.clone(),
        owner_name: row.owner_name.clone(),
        created_at_us: row.offer.created_at.as_us(),
        expires_at_us: row.offer.expires_at.as_us(),
    }
}

/// Writes a trusted publisher.
pub fn publisher(row: Publisher) -> v1::TrustedPublisher {
    v1::TrustedPublisher {
        name: names::of_publisher(&row.app, &row.id),
        channel: names::of_channel(&row.app, &row.channel),
        issuer: row.issuer,
        repository: row.repository,
        repository_id: row.repository_id,
        owner_id: row.owner_id,
        workflow: row.workflow,
        environment: row.environment.unwrap_or_default(),
        r#ref: row.reference.unwrap_or_default(),
        created_by: row.created_by,
        created_at_us: row.created_at.as_us(),
    }
}

/// Writes a credential; its secret stays where it is.
pub fn credential(row: Credential) -> v1::Credential {
    v1::Credential {
        name: names::of_credential(&row.app, &row.id),
        kind: row.kind.to_string(),
        display_name: row.name,
        master_key: row.master_key,
        created_by: row.created_by,
        created_at_us: row.created_at.as_us(),
        replaced_at_us: row.replaced_at.as_us(),
    }
}

fn environment(environment: Environment) -> v1::Environment {
    match environment {
        Environment::Live => v1::Environment::Live,
        Environment::Test => v1::Environment::Test,
    }
}

/// Writes what Expo clients are told of a release.
pub fn expo_update(row: ExpoUpdate) -> v1::GetExpoUpdateResponse {
    v1::GetExpoUpdateResponse {
        update_id: UpdateId::from(&row.release).to_string(),
        committed_at_ms: row.committed_at_ms,
        body: row.body,
        signature: row.signature,
        certificate_chain: row.certificate_chain,
    }
}

/// Writes a channel.
pub fn channel(row: &Channel) -> v1::Channel {
    v1::Channel {
        name: names::of_channel(&row.app, &row.id),
        channel_id: row.id.to_string(),
        channel_name: row.name.to_string(),
        blocked: row.blocked,
        snapshot_version: row.snapshot_version,
        etag: etag::of(row.revision),
        created_at_us: row.created_at.as_us(),
        updated_at_us: row.updated_at.as_us(),
        environment: environment(row.environment).into(),
        bundle_policy: convert::bundle_policy_to_wire(row.bundle_policy).into(),
        expo_server_defined_headers: row.expo_server_defined_headers.as_ref().map(ToString::to_string),
        expo_asset_request_headers: row.expo_asset_request_headers.to_string(),
    }
}

/// Writes a pin whose release has this full name.
pub fn pin(row: &Pin, release: String) -> v1::DevicePin {
    v1::DevicePin { device: row.device_key.to_string(), release, created_at_us: row.created_at.as_us() }
}

/// Writes a binary.
pub fn binary(row: &Binary) -> v1::Binary {
    v1::Binary {
        name: names::of_binary(&row.app, &row.id),
        platform: convert::platform_to_wire(row.platform).into(),
        version: row.version.clone(),
        build_number: row.build_number.clone(),
        runtime_version: row.runtime_version.clone().unwrap_or_default(),
        embedded_update_id: row.embedded_update.map(|update| update.to_string()).unwrap_or_default(),
        embedded_bundle: row.embedded_bundle_hash.as_ref().map(convert::sha256_to_wire).unwrap_or_default(),
        etag: etag::of(row.revision),
        created_at_us: row.created_at.as_us(),
        hermes_version: row.hermes_version.unwrap_or_default(),
    }
}

const fn origin(origin: ReleaseOrigin) -> v1::ReleaseOrigin {
    match origin {
        ReleaseOrigin::Publish => v1::ReleaseOrigin::Publish,
        ReleaseOrigin::Promote => v1::ReleaseOrigin::Promote,
        ReleaseOrigin::Rollback => v1::ReleaseOrigin::Rollback,
    }
}

/// Writes a release.
pub fn release(view: &View) -> Result<v1::Release> {
    let row = &view.release;
    Ok(v1::Release {
        name: names::of_release(&row.app, &row.channel, &row.id),
        release_id: row.id.to_string(),
        seq: row.seq,
        label: format!("v{}", row.seq),
        platform: convert::platform_to_wire(row.platform).into(),
        target: Some(convert::target_to_wire(&row.target()?)),
        bundle: row.bundle.as_ref().map(|bundle| names::of_bundle(&row.app, bundle)).unwrap_or_default(),
        bundle_sha256: view.bundle_hash.as_ref().map(convert::sha256_to_wire).unwrap_or_default(),
        mandatory: row.mandatory,
        enabled: row.enabled,
        rollout: Some(convert::rollout_to_wire(&row.rollout())),
        notes: row.notes.clone(),
        origin: origin(row.origin).into(),
        origin_release: row.origin_release.as_ref().map(ToString::to_string).unwrap_or_default(),
        etag: etag::of(row.revision),
        created_at_us: row.created_at.as_us(),
        updated_at_us: row.updated_at.as_us(),
        warnings: row.warnings.iter().map(convert::warning_to_wire).collect(),
        codepush_package: view.package.as_ref().map(package),
        created_by: row.created_by.clone(),
        served_bytes: 0,
    })
}

/// Writes a release with the bytes that devices downloaded of its bundle.
pub fn listed_release(view: &View, served: &Served) -> Result<v1::Release> {
    Ok(v1::Release { served_bytes: releases::bytes(served), ..release(view)? })
}

/// Writes how a bundle was compiled.
pub fn build(build: &BundleBuild) -> v1::BundleBuild {
    v1::BundleBuild {
        compiler: build.compiler.clone(),
        flags: build.flags.clone(),
        base_sha256: build.base_sha256.as_ref().map(convert::sha256_to_wire).unwrap_or_default(),
    }
}

/// Writes what is left of a release that was only validated: everything that the server did not make up.
pub fn validated_release(view: &View) -> Result<v1::Release> {
    let release = release(view)?;
    Ok(v1::Release {
        name: String::new(),
        release_id: String::new(),
        rollout: release.rollout.map(|rollout| v1::Rollout { salt: String::new(), ..rollout }),
        ..release
    })
}

/// Writes a decision with its reasons.
pub fn explanation(found: &Explanation) -> v1::ExplainResponse {
    let snapshot = &found.snapshot;
    let name = |release: &Release| names::of_release(&snapshot.key.app, &snapshot.channel_id, &release.id);
    let mut answer = v1::ExplainResponse { snapshot_version: snapshot.version.version, ..Default::default() };
    match found.decision {
        Decision::Update { release, install, mandatory } => {
            answer.set_outcome(v1::Outcome::Update);
            answer.release = name(&snapshot.releases[release]);
            answer.label = snapshot.releases[release].label();
            answer.install = install.to_string();
            answer.mandatory = mandatory;
        }
        Decision::Embedded { install } => {
            answer.set_outcome(v1::Outcome::Embedded);
            answer.install = install.to_string();
        }
        Decision::Nothing(reason) => {
            answer.set_outcome(v1::Outcome::Nothing);
            answer.reason = reason.to_string();
        }
    }
    for step in &found.steps {
        let Some(release) = snapshot.releases.iter().find(|release| release.id == step.release) else { continue };
        answer.steps.push(v1::ExplainStep {
            release: name(release),
            label: release.label(),
            verdict: step.verdict.to_string(),
            bucket: step.bucket,
            share_ppm: release.rollout.share.get(),
        });
    }
    answer
}

/// Writes the hashes that are not among the stored ones, in their order.
pub fn missing(wanted: &[domain::Sha256], stored: &[domain::bundle::Blob]) -> Vec<Bytes> {
    let stored: std::collections::BTreeSet<_> = stored.iter().map(|blob| blob.sha256).collect();
    wanted.iter().filter(|hash| !stored.contains(hash)).map(convert::sha256_to_wire).collect()
}
