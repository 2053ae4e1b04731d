-- What apps with a CodePush client say instead of naming a channel.
CREATE TABLE deployment_key (
    key TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    platform TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX deployment_key_by_channel ON deployment_key (channel, key);
