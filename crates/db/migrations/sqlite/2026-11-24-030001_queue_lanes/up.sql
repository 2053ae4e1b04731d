-- A tier has two lanes, foreground and background, which take turns. Tags, and the turns of tenants, are kept for each lane.
ALTER TABLE job ADD COLUMN lane TEXT NOT NULL DEFAULT 'foreground' CHECK (lane IN ('foreground', 'background'));
-- Set only while the job waits for its time.
ALTER TABLE job ADD COLUMN due_at_us INTEGER;
UPDATE job SET due_at_us = run_at_us WHERE state = 'waiting';

-- No index depends on a constant in its WHERE clause: statements are prepared with parameters, and a plan that was made while the
-- table was small must stay good.
DROP INDEX job_ready;
DROP INDEX job_running;
DROP INDEX job_due;
CREATE INDEX job_next ON job (tier, state, lane, vstart, id);
CREATE INDEX job_by_tenant ON job (tier, state, lane, tenant, vstart, id);
CREATE INDEX job_leased ON job (lease_until_us) WHERE lease_until_us IS NOT NULL;
CREATE INDEX job_due ON job (tier, due_at_us) WHERE due_at_us IS NOT NULL;

CREATE TABLE job_turn (
    tier INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    lane TEXT NOT NULL CHECK (lane IN ('foreground', 'background')),
    last_vfinish INTEGER NOT NULL,
    PRIMARY KEY (tier, lane, tenant)
) STRICT;
INSERT INTO job_turn SELECT tier, tenant, 'foreground', last_vfinish FROM job_flow;
ALTER TABLE job_flow DROP COLUMN last_vfinish;
DELETE FROM job_flow WHERE weight = 1 AND max_running IS NULL;
