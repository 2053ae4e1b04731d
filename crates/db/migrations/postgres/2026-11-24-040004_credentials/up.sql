-- Secrets of apps, sealed under a master key.
CREATE TABLE credential (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('signing-key', 'store-token')),
    name TEXT COLLATE "C" NOT NULL,
    sealed_secret BYTEA NOT NULL,
    master_key TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    replaced_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX credential_by_name ON credential (app, name);
CREATE INDEX credential_by_app ON credential (app, id);
