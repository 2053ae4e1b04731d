-- What edges said of the states of channels that they were sent.
CREATE TABLE edge_channel (
    channel TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    edge TEXT NOT NULL REFERENCES edge (id) ON DELETE CASCADE,
    acked_epoch INTEGER NOT NULL,
    acked_version INTEGER NOT NULL,
    refused_epoch INTEGER NOT NULL,
    refused_version INTEGER NOT NULL,
    refused_reason TEXT NOT NULL,
    PRIMARY KEY (channel, edge)
) STRICT;
CREATE INDEX edge_channel_by_edge ON edge_channel (edge);
-- The first state of its channel that shows a release as it is now.
ALTER TABLE release ADD COLUMN snapshot_version INTEGER NOT NULL DEFAULT 0;
