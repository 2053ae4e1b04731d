//! This file's job is to list the tables that Diesel knows, area by area; `migrations/` creates them on both databases.

mod accounts;
mod apps;
mod bundles;
mod codepush;
mod edges;
mod people;
mod queue;
mod records;
mod releases;
mod telemetry;
mod trust;
mod webhooks;

pub use accounts::*;
pub use apps::*;
pub use bundles::*;
pub use codepush::*;
pub use edges::*;
pub use people::*;
pub use queue::*;
pub use records::*;
pub use releases::*;
pub use telemetry::*;
pub use trust::*;
pub use webhooks::*;

diesel::joinable!(member -> account (account));
diesel::joinable!(member -> organization (organization));
diesel::joinable!(upload -> app (app));
diesel::joinable!(bundle_file -> bundle (bundle));
diesel::joinable!(channel -> app (app));
diesel::joinable!(package -> bundle (bundle));
diesel::joinable!(app -> organization (organization));
diesel::joinable!(publisher -> app (app));
diesel::joinable!(publisher -> channel (channel));
diesel::joinable!(credential -> app (app));
diesel::joinable!(app_offer -> app (app));
diesel::joinable!(deployment_key -> channel (channel));

diesel::allow_tables_to_appear_in_same_query!(
    meta,
    organization,
    account,
    member,
    api_key,
    credential_change,
    plan,
    build_usage,
    audit_head,
    app,
    app_token_key,
    channel,
    device_revocation,
    binary_build,
    blob,
    bundle,
    bundle_file,
    bundle_build,
    bundle_contents,
    bundle_source_map,
    delta,
    variant,
    upload,
    release,
    device_pin,
    edge,
    edge_channel,
    device,
    device_count,
    event,
    event_batch,
    tally,
    edge_ledger,
    audit,
    idempotency,
    outbox,
    schedule,
    blob_condemned,
    feed,
    feed_entry,
    job,
    job_flow,
    job_turn,
    job_attempt,
    job_dead,
    session,
    mail,
    invitation,
    login,
    second_factor,
    recovery_code,
    publisher,
    used_token,
    credential,
    identity,
    app_offer,
    webhook,
    webhook_delivery,
    webhook_try,
    deployment_key,
    package,
    package_diff,
    expo_update,
);
