-- What each plan allows. The operator may change the numbers.
CREATE TABLE plan (
    name TEXT NOT NULL PRIMARY KEY CHECK (name IN ('free', 'pro', 'team', 'enterprise')),
    tier INTEGER NOT NULL CHECK (tier BETWEEN 0 AND 3),
    uploads_max INTEGER NOT NULL,
    archive_max_bytes INTEGER NOT NULL,
    builds_per_month INTEGER NOT NULL,
    requests_per_minute INTEGER NOT NULL,
    devices_max INTEGER NOT NULL,
    retention_days INTEGER NOT NULL
) STRICT;
INSERT INTO plan VALUES
    ('free', 3, 2, 50000000, 100, 300, 10000, 30),
    ('pro', 2, 5, 100000000, 1000, 1200, 100000, 90),
    ('team', 1, 20, 250000000, 10000, 6000, 1000000, 180),
    ('enterprise', 0, 100, 1000000000, 1000000, 60000, 100000000, 365);
ALTER TABLE organization ADD COLUMN plan TEXT NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'pro', 'team', 'enterprise'));
UPDATE organization SET plan = CASE tier WHEN 0 THEN 'enterprise' WHEN 1 THEN 'team' WHEN 2 THEN 'pro' ELSE 'free' END;
-- Whether the devices of a suspended organization are kept waiting, too.
ALTER TABLE organization ADD COLUMN devices_blocked INTEGER NOT NULL DEFAULT 0;
-- Processed uploads by calendar month in UTC, written as 2026-11.
CREATE TABLE build_usage (
    organization TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    month TEXT NOT NULL,
    builds INTEGER NOT NULL,
    PRIMARY KEY (organization, month)
) STRICT;
