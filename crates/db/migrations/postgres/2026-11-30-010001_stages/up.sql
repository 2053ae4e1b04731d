-- How far the processing of an upload has come; empty while bytes are missing.
ALTER TABLE upload ADD COLUMN stage TEXT CHECK (stage IN ('received', 'verified', 'unpacked', 'parsed', 'stored', 'ready'));
UPDATE upload SET stage = 'received' WHERE state IN ('queued', 'processing');
UPDATE upload SET stage = 'ready' WHERE state = 'ready';
