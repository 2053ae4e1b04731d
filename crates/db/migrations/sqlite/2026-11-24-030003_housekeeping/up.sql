-- Work that comes round again. Whoever holds the lease of a row does it; the fence tells holders apart.
CREATE TABLE schedule (
    name TEXT NOT NULL PRIMARY KEY,
    worker TEXT,
    lease_until_us INTEGER,
    fence INTEGER NOT NULL,
    due_at_us INTEGER NOT NULL,
    done_at_us INTEGER,
    error TEXT
) STRICT;

-- Blobs of the store that no organization has. One is removed when it stood here for long and nobody has asked for it meanwhile.
CREATE TABLE blob_condemned (
    sha256 BLOB NOT NULL PRIMARY KEY,
    condemned_at_us INTEGER NOT NULL,
    removing INTEGER NOT NULL CHECK (removing IN (0, 1))
) STRICT;
CREATE INDEX blob_condemned_by_time ON blob_condemned (condemned_at_us);
CREATE INDEX blob_by_hash ON blob (sha256);

ALTER TABLE job_dead ADD COLUMN noticed_at_us INTEGER;
CREATE INDEX job_dead_unnoticed ON job_dead (id) WHERE noticed_at_us IS NULL;
