-- The newest state of the channel for which the edge has all bytes on its disk that releases need.
ALTER TABLE edge_channel ADD COLUMN ready_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE edge_channel ADD COLUMN ready_version INTEGER NOT NULL DEFAULT 0;
