-- Each entry holds the hash of the one before. Entries with seq 0 are older than the chain.
ALTER TABLE audit ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN previous_hash BYTEA;
ALTER TABLE audit ADD COLUMN hash BYTEA;
CREATE UNIQUE INDEX audit_by_seq ON audit (organization, seq) WHERE seq > 0;
-- The last link of each organization's chain. Whoever adds an entry locks its row until the commit.
CREATE TABLE audit_head (
    organization TEXT NOT NULL PRIMARY KEY REFERENCES organization (id),
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
