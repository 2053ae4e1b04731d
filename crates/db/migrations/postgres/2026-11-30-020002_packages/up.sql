-- Bundles as CodePush's clients get them: whole, and what differs from a package that they have.
CREATE TABLE package (
    bundle TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES bundle (id) ON DELETE CASCADE,
    package_hash BYTEA NOT NULL,
    blob_sha256 BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL
);

CREATE TABLE package_diff (
    to_bundle TEXT COLLATE "C" NOT NULL REFERENCES bundle (id) ON DELETE CASCADE,
    from_package_hash BYTEA NOT NULL,
    blob_sha256 BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (to_bundle, from_package_hash)
);
