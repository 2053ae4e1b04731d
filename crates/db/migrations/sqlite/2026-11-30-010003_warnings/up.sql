-- What is allowed in a bundle, but perhaps not meant, as a JSON array; and whether a channel takes such bundles.
ALTER TABLE bundle ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
ALTER TABLE upload ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
ALTER TABLE release ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
ALTER TABLE channel ADD COLUMN bundle_policy TEXT NOT NULL DEFAULT 'warn' CHECK (bundle_policy IN ('warn', 'refuse'));
-- The version of Hermes bytecode that a binary runs, when it is known.
ALTER TABLE binary_build ADD COLUMN hermes_version INTEGER;
