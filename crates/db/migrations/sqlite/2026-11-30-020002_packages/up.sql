-- Bundles as CodePush's clients get them: whole, and what differs from a package that they have.
CREATE TABLE package (
    bundle TEXT NOT NULL PRIMARY KEY REFERENCES bundle (id) ON DELETE CASCADE,
    package_hash BLOB NOT NULL,
    blob_sha256 BLOB NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE package_diff (
    to_bundle TEXT NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    from_package_hash BLOB NOT NULL,
    blob_sha256 BLOB NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (to_bundle, from_package_hash)
) STRICT;
