-- What apps with a CodePush client say instead of naming a channel.
CREATE TABLE deployment_key (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    channel TEXT COLLATE "C" NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    platform TEXT COLLATE "C" NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX deployment_key_by_channel ON deployment_key (channel, key);
