-- What edges counted, and the events that they handed in one by one. A text or blob that a number does not depend on is empty.
CREATE TABLE tally (
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    release TEXT NOT NULL,
    bundle BLOB NOT NULL,
    channel TEXT NOT NULL,
    measure TEXT NOT NULL,
    times INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (app, release, bundle, channel, measure)
) STRICT;
-- The last batch of each edge's ledger that was added, and what its batches counted without saying of what.
CREATE TABLE edge_ledger (
    edge TEXT NOT NULL,
    ledger INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    other_times INTEGER NOT NULL,
    PRIMARY KEY (edge, ledger)
) STRICT;
INSERT INTO tally (app, release, bundle, channel, measure, times, bytes)
SELECT app, COALESCE(release, ''), x'', channel, 'event-' || kind, count(*), 0 FROM event GROUP BY app, release, channel, kind;
