-- How bundles were compiled, as whoever published them says.
CREATE TABLE bundle_build (
    bundle TEXT NOT NULL PRIMARY KEY REFERENCES bundle (id) ON DELETE CASCADE,
    compiler TEXT NOT NULL,
    flags TEXT NOT NULL,
    base_sha256 BLOB,
    created_at_us INTEGER NOT NULL
) STRICT;
