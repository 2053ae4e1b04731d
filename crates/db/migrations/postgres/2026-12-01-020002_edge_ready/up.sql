-- The newest state of the channel for which the edge has all bytes on its disk that releases need.
ALTER TABLE edge_channel ADD COLUMN ready_epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE edge_channel ADD COLUMN ready_version BIGINT NOT NULL DEFAULT 0;
