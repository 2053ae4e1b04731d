-- Ids and enums are text, times are microseconds since 1970, hashes are bytes, JSON is opaque text.
-- Text is compared byte by byte (COLLATE "C"), so that keyset pages agree with SQLite.

CREATE TABLE meta (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);
-- Grows when the database is restored from a backup, so that edges take the older states that follow.
INSERT INTO meta (key, value) VALUES ('epoch', '1');

CREATE TABLE organization (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    tier BIGINT NOT NULL CHECK (tier BETWEEN 0 AND 3),
    suspended BOOLEAN NOT NULL,
    created_at_us BIGINT NOT NULL
);

CREATE TABLE account (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    email TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL
);

CREATE TABLE member (
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (organization, account)
);
CREATE INDEX member_by_account ON member (account);

CREATE TABLE api_key (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    public_id TEXT COLLATE "C" NOT NULL UNIQUE,
    secret_bcrypt TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    scopes TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT,
    revoked_at_us BIGINT,
    last_used_at_us BIGINT
);
CREATE INDEX api_key_by_organization ON api_key (organization, id);

CREATE TABLE app (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
    slug TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX app_by_slug ON app (organization, slug);
CREATE INDEX app_by_organization ON app (organization, id);

CREATE TABLE app_token_key (
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    secret BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (app, generation)
);

CREATE TABLE channel (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    snapshot_version BIGINT NOT NULL,
    next_seq BIGINT NOT NULL,
    blocked BOOLEAN NOT NULL,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX channel_by_name ON channel (app, name);
CREATE INDEX channel_by_app ON channel (app, id);

CREATE TABLE binary_build (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    platform TEXT COLLATE "C" NOT NULL CHECK (platform IN ('android', 'ios')),
    version TEXT COLLATE "C" NOT NULL,
    build_number TEXT COLLATE "C" NOT NULL,
    runtime_version TEXT COLLATE "C",
    embedded_bundle_hash BYTEA,
    revision BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX binary_build_by_version ON binary_build (app, platform, version, build_number);
CREATE INDEX binary_build_by_app ON binary_build (app, id);

CREATE TABLE blob (
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
    sha256 BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    -- 32 bytes for each started piece of 1 MiB.
    chunks BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (organization, sha256)
);

CREATE TABLE bundle (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    platform TEXT COLLATE "C" NOT NULL CHECK (platform IN ('android', 'ios')),
    content_hash BYTEA NOT NULL,
    engine TEXT COLLATE "C" NOT NULL CHECK (engine IN ('javascript', 'hermes')),
    hermes_version BIGINT,
    launch_path TEXT COLLATE "C" NOT NULL,
    file_count BIGINT NOT NULL,
    total_size_bytes BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX bundle_by_content ON bundle (app, platform, content_hash);
CREATE INDEX bundle_by_app ON bundle (app, id);

CREATE TABLE bundle_file (
    bundle TEXT COLLATE "C" NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    path TEXT COLLATE "C" NOT NULL,
    sha256 BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('launch', 'asset')),
    PRIMARY KEY (bundle, path)
);

CREATE TABLE delta (
    from_bundle TEXT COLLATE "C" NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    to_bundle TEXT COLLATE "C" NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    format TEXT COLLATE "C" NOT NULL,
    base_sha256 BYTEA NOT NULL,
    blob_sha256 BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (to_bundle, from_bundle, format)
);
CREATE INDEX delta_by_base ON delta (from_bundle);

CREATE TABLE upload (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    platform TEXT COLLATE "C" NOT NULL CHECK (platform IN ('android', 'ios')),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('receiving', 'queued', 'processing', 'ready', 'failed', 'cancelled')),
    archive_format TEXT COLLATE "C" NOT NULL,
    archive_sha256 BYTEA NOT NULL,
    archive_size_bytes BIGINT NOT NULL,
    received_bytes BIGINT NOT NULL,
    parts TEXT COLLATE "C" NOT NULL,
    known_files TEXT COLLATE "C" NOT NULL,
    bundle TEXT COLLATE "C" REFERENCES bundle (id) ON DELETE SET NULL,
    failure_reason TEXT COLLATE "C",
    failure_message TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    CHECK (received_bytes BETWEEN 0 AND archive_size_bytes)
);
CREATE INDEX upload_by_app ON upload (app, id);
CREATE INDEX upload_by_archive ON upload (app, archive_sha256);
CREATE INDEX upload_by_bundle ON upload (bundle);
CREATE INDEX upload_by_expiry ON upload (expires_at_us) WHERE state = 'receiving';

CREATE TABLE release (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    channel TEXT COLLATE "C" NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    platform TEXT COLLATE "C" NOT NULL CHECK (platform IN ('android', 'ios')),
    bundle TEXT COLLATE "C" REFERENCES bundle (id),
    target_kind TEXT COLLATE "C" NOT NULL CHECK (target_kind IN ('binary-range', 'runtime-version')),
    target_value TEXT COLLATE "C" NOT NULL,
    mandatory BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    notes TEXT COLLATE "C" NOT NULL,
    rollout_state TEXT COLLATE "C" NOT NULL CHECK (rollout_state IN ('active', 'paused')),
    rollout_ppm BIGINT NOT NULL CHECK (rollout_ppm BETWEEN 0 AND 1000000),
    rollout_salt TEXT COLLATE "C" NOT NULL,
    rollout_retreat TEXT COLLATE "C" NOT NULL CHECK (rollout_retreat IN ('stay', 'next-cold-start', 'now')),
    origin TEXT COLLATE "C" NOT NULL CHECK (origin IN ('publish', 'promote', 'rollback')),
    origin_release TEXT COLLATE "C",
    revision BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX release_by_seq ON release (channel, seq);
CREATE INDEX release_by_app ON release (app, id);
CREATE INDEX release_by_bundle ON release (bundle);

CREATE TABLE device_pin (
    channel TEXT COLLATE "C" NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    device_key TEXT COLLATE "C" NOT NULL,
    release TEXT COLLATE "C" NOT NULL REFERENCES release (id) ON DELETE CASCADE,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (channel, device_key)
);
CREATE INDEX device_pin_by_release ON device_pin (release);

CREATE TABLE edge (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    token_hash BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    last_seen_at_us BIGINT NOT NULL
);
CREATE INDEX edge_by_token ON edge (token_hash);

CREATE TABLE device (
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    id TEXT COLLATE "C" NOT NULL,
    platform TEXT COLLATE "C" NOT NULL CHECK (platform IN ('android', 'ios')),
    facts TEXT COLLATE "C" NOT NULL,
    edge TEXT COLLATE "C" NOT NULL,
    registered_at_us BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE event (
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    id TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('registered', 'downloaded', 'installed', 'launched', 'crashed', 'rolled-back', 'failed')),
    platform TEXT COLLATE "C" NOT NULL CHECK (platform IN ('android', 'ios')),
    binary_version TEXT COLLATE "C",
    release TEXT COLLATE "C",
    bundle BYTEA,
    detail TEXT COLLATE "C",
    edge TEXT COLLATE "C" NOT NULL,
    received_at_us BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);
CREATE INDEX event_by_release ON event (app, release, received_at_us);

CREATE TABLE event_batch (
    edge TEXT COLLATE "C" NOT NULL,
    segment TEXT COLLATE "C" NOT NULL,
    batch_offset BIGINT NOT NULL,
    stored_at_us BIGINT NOT NULL,
    PRIMARY KEY (edge, segment, batch_offset)
);
CREATE INDEX event_batch_by_time ON event_batch (stored_at_us);

CREATE TABLE audit (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
    actor_kind TEXT COLLATE "C" NOT NULL,
    actor_id TEXT COLLATE "C" NOT NULL,
    credential_id TEXT COLLATE "C",
    action TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
    detail TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL
);
CREATE INDEX audit_by_organization ON audit (organization, id);

CREATE TABLE idempotency (
    principal TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    request_hash BYTEA NOT NULL,
    response BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (principal, request_id, method)
);
CREATE INDEX idempotency_by_time ON idempotency (created_at_us);

-- Hints only: the truth is channel.snapshot_version. Numbers may become visible out of order.
CREATE TABLE outbox (
    seq BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('changed', 'deleted')),
    app TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL
);
CREATE INDEX outbox_by_time ON outbox (at_us);

CREATE TABLE job (
    tier BIGINT NOT NULL CHECK (tier BETWEEN 0 AND 3),
    id TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    app TEXT COLLATE "C",
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('ready', 'running', 'waiting')),
    vstart BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    run_at_us BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    worker TEXT COLLATE "C",
    lease_until_us BIGINT,
    deadline_at_us BIGINT,
    unique_key TEXT COLLATE "C" NOT NULL,
    enqueued_at_us BIGINT NOT NULL,
    first_started_at_us BIGINT,
    PRIMARY KEY (tier, id)
) PARTITION BY LIST (tier);
-- One table per tier. Jobs are short-lived rows that change often: room on each page keeps updates in place.
CREATE TABLE job_p0 PARTITION OF job FOR VALUES IN (0) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE TABLE job_p1 PARTITION OF job FOR VALUES IN (1) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE TABLE job_p2 PARTITION OF job FOR VALUES IN (2) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE TABLE job_p3 PARTITION OF job FOR VALUES IN (3) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX job_ready ON job (tier, vstart, id) WHERE state = 'ready';
CREATE INDEX job_running ON job (lease_until_us) WHERE state = 'running';
CREATE INDEX job_due ON job (run_at_us) WHERE state = 'waiting';
CREATE UNIQUE INDEX job_unique ON job (tier, unique_key);

CREATE TABLE job_flow (
    tier BIGINT NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    last_vfinish BIGINT NOT NULL,
    weight BIGINT NOT NULL CHECK (weight > 0),
    max_running BIGINT CHECK (max_running > 0),
    PRIMARY KEY (tier, tenant)
);

CREATE TABLE job_attempt (
    job TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    n BIGINT NOT NULL,
    worker TEXT COLLATE "C" NOT NULL,
    started_at_us BIGINT NOT NULL,
    ended_at_us BIGINT,
    outcome TEXT COLLATE "C" CHECK (outcome IN ('completed', 'failed', 'lease-lost', 'deadline', 'released')),
    error TEXT COLLATE "C",
    PRIMARY KEY (job, fence)
);
CREATE INDEX job_attempt_by_time ON job_attempt (started_at_us);

CREATE TABLE job_dead (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tier BIGINT NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    app TEXT COLLATE "C",
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    payload TEXT COLLATE "C" NOT NULL,
    cost BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    enqueued_at_us BIGINT NOT NULL,
    died_at_us BIGINT NOT NULL,
    resolution TEXT COLLATE "C" CHECK (resolution IN ('retried', 'discarded')),
    resolution_reason TEXT COLLATE "C",
    resolved_by TEXT COLLATE "C",
    resolved_at_us BIGINT,
    retried_as TEXT COLLATE "C"
);
CREATE INDEX job_dead_open ON job_dead (tenant, id) WHERE resolution IS NULL;
