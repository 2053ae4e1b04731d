-- Workflows whose identity stands in for a key, and which tokens of theirs were used.
CREATE TABLE publisher (
    id TEXT NOT NULL PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    channel TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    repository TEXT NOT NULL,
    repository_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    workflow TEXT NOT NULL,
    environment TEXT,
    reference TEXT,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX publisher_by_app ON publisher (app, id);
CREATE INDEX publisher_by_channel ON publisher (channel);
CREATE INDEX publisher_by_repository ON publisher (issuer, repository_id, id);

CREATE TABLE used_token (
    token_hash BLOB NOT NULL PRIMARY KEY,
    expires_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX used_token_by_expiry ON used_token (expires_at_us);
