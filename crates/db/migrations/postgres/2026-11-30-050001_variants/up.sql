-- Compressed forms of an organization's blobs, each a blob of its own. A form goes with either of the two.
CREATE TABLE variant (
    organization TEXT COLLATE "C" NOT NULL,
    sha256 BYTEA NOT NULL,
    coding TEXT COLLATE "C" NOT NULL CHECK (coding IN ('br', 'zstd', 'gzip')),
    effort TEXT COLLATE "C" NOT NULL CHECK (effort IN ('quick', 'best')),
    blob_sha256 BYTEA NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (organization, sha256, coding),
    FOREIGN KEY (organization, sha256) REFERENCES blob (organization, sha256) ON DELETE CASCADE,
    FOREIGN KEY (organization, blob_sha256) REFERENCES blob (organization, sha256) ON DELETE CASCADE
);
CREATE INDEX variant_by_blob ON variant (organization, blob_sha256);
