-- Programs without a browser that ask to be logged in.
CREATE TABLE login (
    device_code_hash BLOB NOT NULL PRIMARY KEY,
    user_code_hash BLOB NOT NULL UNIQUE,
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
    -- Who decided.
    account TEXT REFERENCES account (id) ON DELETE CASCADE,
    -- The only organization that the session may touch; all of the person's when null.
    organization TEXT REFERENCES organization (id) ON DELETE CASCADE,
    interval_s INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    polled_at_us INTEGER
) STRICT;
CREATE INDEX login_by_expiry ON login (expires_at_us);
