-- What happens in each organization, for those who watch. Numbers are given out under the lock of the organization's row, which is
-- held until the commit: they have no gaps and become visible in order.
CREATE TABLE feed (
    organization TEXT NOT NULL PRIMARY KEY REFERENCES organization (id) ON DELETE CASCADE,
    last_seq INTEGER NOT NULL,
    trimmed_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE feed_entry (
    organization TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    app TEXT NOT NULL,
    subject_kind TEXT NOT NULL CHECK (subject_kind IN ('upload', 'channel')),
    subject TEXT NOT NULL,
    stage TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (organization, seq)
) STRICT;
CREATE INDEX feed_entry_by_time ON feed_entry (at_us);
