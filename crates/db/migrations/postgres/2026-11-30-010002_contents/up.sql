-- What is known of the inside of a bundle: a private blob, and what a list shows of it.
CREATE TABLE bundle_contents (
    bundle TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES bundle (id) ON DELETE CASCADE,
    sha256 BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    module_count BIGINT NOT NULL,
    function_count BIGINT,
    image_count BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX bundle_contents_by_blob ON bundle_contents (sha256);

-- The source map of a bundle's launch file: a private blob.
CREATE TABLE bundle_source_map (
    bundle TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES bundle (id) ON DELETE CASCADE,
    path TEXT COLLATE "C" NOT NULL,
    sha256 BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX bundle_source_map_by_blob ON bundle_source_map (sha256);

-- When something last came to need the blob; who has needed it for long is asked for by its hash.
ALTER TABLE blob ADD COLUMN used_at_us BIGINT NOT NULL DEFAULT 0;
UPDATE blob SET used_at_us = created_at_us;
CREATE INDEX bundle_file_by_blob ON bundle_file (sha256);
CREATE INDEX delta_by_blob ON delta (blob_sha256);
