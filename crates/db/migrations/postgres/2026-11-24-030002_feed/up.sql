-- What happens in each organization, for those who watch. Numbers are given out under the lock of the organization's row, which is
-- held until the commit: they have no gaps and become visible in order.
CREATE TABLE feed (
    organization TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES organization (id) ON DELETE CASCADE,
    last_seq BIGINT NOT NULL,
    trimmed_seq BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE feed_entry (
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    app TEXT COLLATE "C" NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL CHECK (subject_kind IN ('upload', 'channel')),
    subject TEXT COLLATE "C" NOT NULL,
    stage TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (organization, seq)
);
CREATE INDEX feed_entry_by_time ON feed_entry (at_us);
