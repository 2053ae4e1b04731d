-- How many devices each app has, kept in the transactions that add them: counting millions of rows takes too long to be done often.
CREATE TABLE device_count (
    app TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES app (id) ON DELETE CASCADE,
    devices BIGINT NOT NULL
);
INSERT INTO device_count (app, devices) SELECT app, count(*) FROM device GROUP BY app;

-- Whether the organization has as many devices as its plan allows.
ALTER TABLE organization ADD COLUMN devices_full BOOLEAN NOT NULL DEFAULT FALSE;
