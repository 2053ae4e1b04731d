-- Ids and enums are text, times are microseconds since 1970, hashes are bytes, JSON is opaque text.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
-- Grows when the database is restored from a backup, so that edges take the older states that follow.
INSERT INTO meta (key, value) VALUES ('epoch', '1');

CREATE TABLE organization (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    tier INTEGER NOT NULL CHECK (tier BETWEEN 0 AND 3),
    suspended INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE member (
    organization TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (organization, account)
) STRICT;
CREATE INDEX member_by_account ON member (account);

CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    public_id TEXT NOT NULL UNIQUE,
    secret_bcrypt TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    scopes TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER,
    revoked_at_us INTEGER,
    last_used_at_us INTEGER
) STRICT;
CREATE INDEX api_key_by_organization ON api_key (organization, id);

CREATE TABLE app (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX app_by_slug ON app (organization, slug);
CREATE INDEX app_by_organization ON app (organization, id);

CREATE TABLE app_token_key (
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    secret BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (app, generation)
) STRICT;

CREATE TABLE channel (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    snapshot_version INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX channel_by_name ON channel (app, name);
CREATE INDEX channel_by_app ON channel (app, id);

CREATE TABLE binary_build (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    platform TEXT NOT NULL CHECK (platform IN ('android', 'ios')),
    version TEXT NOT NULL,
    build_number TEXT NOT NULL,
    runtime_version TEXT,
    embedded_bundle_hash BLOB,
    revision INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX binary_build_by_version ON binary_build (app, platform, version, build_number);
CREATE INDEX binary_build_by_app ON binary_build (app, id);

CREATE TABLE blob (
    organization TEXT NOT NULL REFERENCES organization (id),
    sha256 BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    -- 32 bytes for each started piece of 1 MiB.
    chunks BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (organization, sha256)
) STRICT;

CREATE TABLE bundle (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    platform TEXT NOT NULL CHECK (platform IN ('android', 'ios')),
    content_hash BLOB NOT NULL,
    engine TEXT NOT NULL CHECK (engine IN ('javascript', 'hermes')),
    hermes_version INTEGER,
    launch_path TEXT NOT NULL,
    file_count INTEGER NOT NULL,
    total_size_bytes INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX bundle_by_content ON bundle (app, platform, content_hash);
CREATE INDEX bundle_by_app ON bundle (app, id);

CREATE TABLE bundle_file (
    bundle TEXT NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('launch', 'asset')),
    PRIMARY KEY (bundle, path)
) STRICT;

CREATE TABLE delta (
    from_bundle TEXT NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    to_bundle TEXT NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    format TEXT NOT NULL,
    base_sha256 BLOB NOT NULL,
    blob_sha256 BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (to_bundle, from_bundle, format)
) STRICT;
CREATE INDEX delta_by_base ON delta (from_bundle);

CREATE TABLE upload (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    platform TEXT NOT NULL CHECK (platform IN ('android', 'ios')),
    state TEXT NOT NULL CHECK (state IN ('receiving', 'queued', 'processing', 'ready', 'failed', 'cancelled')),
    archive_format TEXT NOT NULL,
    archive_sha256 BLOB NOT NULL,
    archive_size_bytes INTEGER NOT NULL,
    received_bytes INTEGER NOT NULL,
    parts TEXT NOT NULL,
    known_files TEXT NOT NULL,
    bundle TEXT REFERENCES bundle (id) ON DELETE SET NULL,
    failure_reason TEXT,
    failure_message TEXT,
    request_id TEXT,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    CHECK (received_bytes BETWEEN 0 AND archive_size_bytes)
) STRICT;
CREATE INDEX upload_by_app ON upload (app, id);
CREATE INDEX upload_by_archive ON upload (app, archive_sha256);
CREATE INDEX upload_by_bundle ON upload (bundle);
CREATE INDEX upload_by_expiry ON upload (expires_at_us) WHERE state = 'receiving';

CREATE TABLE release (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    channel TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    platform TEXT NOT NULL CHECK (platform IN ('android', 'ios')),
    bundle TEXT REFERENCES bundle (id),
    target_kind TEXT NOT NULL CHECK (target_kind IN ('binary-range', 'runtime-version')),
    target_value TEXT NOT NULL,
    mandatory INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    notes TEXT NOT NULL,
    rollout_state TEXT NOT NULL CHECK (rollout_state IN ('active', 'paused')),
    rollout_ppm INTEGER NOT NULL CHECK (rollout_ppm BETWEEN 0 AND 1000000),
    rollout_salt TEXT NOT NULL,
    rollout_retreat TEXT NOT NULL CHECK (rollout_retreat IN ('stay', 'next-cold-start', 'now')),
    origin TEXT NOT NULL CHECK (origin IN ('publish', 'promote', 'rollback')),
    origin_release TEXT,
    revision INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX release_by_seq ON release (channel, seq);
CREATE INDEX release_by_app ON release (app, id);
CREATE INDEX release_by_bundle ON release (bundle);

CREATE TABLE device_pin (
    channel TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    device_key TEXT NOT NULL,
    release TEXT NOT NULL REFERENCES release (id) ON DELETE CASCADE,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (channel, device_key)
) STRICT;
CREATE INDEX device_pin_by_release ON device_pin (release);

CREATE TABLE edge (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    last_seen_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX edge_by_token ON edge (token_hash);

CREATE TABLE device (
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    platform TEXT NOT NULL CHECK (platform IN ('android', 'ios')),
    facts TEXT NOT NULL,
    edge TEXT NOT NULL,
    registered_at_us INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) STRICT;

CREATE TABLE event (
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    channel TEXT NOT NULL,
    device TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('registered', 'downloaded', 'installed', 'launched', 'crashed', 'rolled-back', 'failed')),
    platform TEXT NOT NULL CHECK (platform IN ('android', 'ios')),
    binary_version TEXT,
    release TEXT,
    bundle BLOB,
    detail TEXT,
    edge TEXT NOT NULL,
    received_at_us INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) STRICT;
CREATE INDEX event_by_release ON event (app, release, received_at_us);

CREATE TABLE event_batch (
    edge TEXT NOT NULL,
    segment TEXT NOT NULL,
    batch_offset INTEGER NOT NULL,
    stored_at_us INTEGER NOT NULL,
    PRIMARY KEY (edge, segment, batch_offset)
) STRICT;
CREATE INDEX event_batch_by_time ON event_batch (stored_at_us);

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id),
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    credential_id TEXT,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
    detail TEXT NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_organization ON audit (organization, id);

CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    response BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (principal, request_id, method)
) STRICT;
CREATE INDEX idempotency_by_time ON idempotency (created_at_us);

-- Hints only: the truth is channel.snapshot_version. Numbers may become visible out of order.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('changed', 'deleted')),
    app TEXT NOT NULL,
    channel TEXT NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_time ON outbox (at_us);

CREATE TABLE job (
    tier INTEGER NOT NULL CHECK (tier BETWEEN 0 AND 3),
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    app TEXT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'running', 'waiting')),
    vstart INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    run_at_us INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    worker TEXT,
    lease_until_us INTEGER,
    deadline_at_us INTEGER,
    unique_key TEXT NOT NULL,
    enqueued_at_us INTEGER NOT NULL,
    first_started_at_us INTEGER,
    PRIMARY KEY (tier, id)
) STRICT;
CREATE INDEX job_ready ON job (tier, vstart, id) WHERE state = 'ready';
CREATE INDEX job_running ON job (lease_until_us) WHERE state = 'running';
CREATE INDEX job_due ON job (run_at_us) WHERE state = 'waiting';
CREATE UNIQUE INDEX job_unique ON job (tier, unique_key);

CREATE TABLE job_flow (
    tier INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    last_vfinish INTEGER NOT NULL,
    weight INTEGER NOT NULL CHECK (weight > 0),
    max_running INTEGER CHECK (max_running > 0),
    PRIMARY KEY (tier, tenant)
) STRICT;

CREATE TABLE job_attempt (
    job TEXT NOT NULL,
    fence INTEGER NOT NULL,
    n INTEGER NOT NULL,
    worker TEXT NOT NULL,
    started_at_us INTEGER NOT NULL,
    ended_at_us INTEGER,
    outcome TEXT CHECK (outcome IN ('completed', 'failed', 'lease-lost', 'deadline', 'released')),
    error TEXT,
    PRIMARY KEY (job, fence)
) STRICT;
CREATE INDEX job_attempt_by_time ON job_attempt (started_at_us);

CREATE TABLE job_dead (
    id TEXT NOT NULL PRIMARY KEY,
    tier INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    app TEXT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    cost INTEGER NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    enqueued_at_us INTEGER NOT NULL,
    died_at_us INTEGER NOT NULL,
    resolution TEXT CHECK (resolution IN ('retried', 'discarded')),
    resolution_reason TEXT,
    resolved_by TEXT,
    resolved_at_us INTEGER,
    retried_as TEXT
) STRICT;
CREATE INDEX job_dead_open ON job_dead (tenant, id) WHERE resolution IS NULL;
