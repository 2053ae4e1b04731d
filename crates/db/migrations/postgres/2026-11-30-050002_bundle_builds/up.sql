-- How bundles were compiled, as whoever published them says.
CREATE TABLE bundle_build (
    bundle TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES bundle (id) ON DELETE CASCADE,
    compiler TEXT COLLATE "C" NOT NULL,
    flags TEXT COLLATE "C" NOT NULL,
    base_sha256 BYTEA,
    created_at_us BIGINT NOT NULL
);
