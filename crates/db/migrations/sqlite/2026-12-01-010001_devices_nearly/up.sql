-- Whether four fifths of the devices that the plan allows are registered: the organization is told once.
ALTER TABLE organization ADD COLUMN devices_nearly_full INTEGER NOT NULL DEFAULT 0;
