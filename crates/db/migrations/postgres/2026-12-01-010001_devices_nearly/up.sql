-- Whether four fifths of the devices that the plan allows are registered: the organization is told once.
ALTER TABLE organization ADD COLUMN devices_nearly_full BOOLEAN NOT NULL DEFAULT FALSE;
