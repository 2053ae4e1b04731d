-- Workflows whose identity stands in for a key, and which tokens of theirs were used.
CREATE TABLE publisher (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    channel TEXT COLLATE "C" NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    issuer TEXT COLLATE "C" NOT NULL,
    repository TEXT COLLATE "C" NOT NULL,
    repository_id TEXT COLLATE "C" NOT NULL,
    owner_id TEXT COLLATE "C" NOT NULL,
    workflow TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C",
    reference TEXT COLLATE "C",
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX publisher_by_app ON publisher (app, id);
CREATE INDEX publisher_by_channel ON publisher (channel);
CREATE INDEX publisher_by_repository ON publisher (issuer, repository_id, id);

CREATE TABLE used_token (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    expires_at_us BIGINT NOT NULL
);
CREATE INDEX used_token_by_expiry ON used_token (expires_at_us);
