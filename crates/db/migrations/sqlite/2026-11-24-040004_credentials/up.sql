-- Secrets of apps, sealed under a master key.
CREATE TABLE credential (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('signing-key', 'store-token')),
    name TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    master_key TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    replaced_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX credential_by_name ON credential (app, name);
CREATE INDEX credential_by_app ON credential (app, id);
