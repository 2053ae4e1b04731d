-- What edges counted, and the events that they handed in one by one. A text or blob that a number does not depend on is empty.
CREATE TABLE tally (
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    release TEXT COLLATE "C" NOT NULL,
    bundle BYTEA NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    measure TEXT COLLATE "C" NOT NULL,
    times BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (app, release, bundle, channel, measure)
);
-- The last batch of each edge's ledger that was added, and what its batches counted without saying of what.
CREATE TABLE edge_ledger (
    edge TEXT COLLATE "C" NOT NULL,
    ledger BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    other_times BIGINT NOT NULL,
    PRIMARY KEY (edge, ledger)
);
INSERT INTO tally (app, release, bundle, channel, measure, times, bytes)
SELECT app, COALESCE(release, ''), ''::BYTEA, channel, 'event-' || kind, count(*), 0 FROM event GROUP BY app, release, channel, kind;
