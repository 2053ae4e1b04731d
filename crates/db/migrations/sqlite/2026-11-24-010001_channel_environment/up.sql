-- Which keys may see a channel: live ones or test ones.
ALTER TABLE channel ADD COLUMN environment TEXT NOT NULL DEFAULT 'live' CHECK (environment IN ('live', 'test'));
