-- Programs without a browser that ask to be logged in.
CREATE TABLE login (
    device_code_hash BYTEA NOT NULL PRIMARY KEY,
    user_code_hash BYTEA NOT NULL UNIQUE,
    client TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
    -- Who decided.
    account TEXT COLLATE "C" REFERENCES account (id) ON DELETE CASCADE,
    -- The only organization that the session may touch; all of the person's when null.
    organization TEXT COLLATE "C" REFERENCES organization (id) ON DELETE CASCADE,
    interval_s BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    polled_at_us BIGINT
);
CREATE INDEX login_by_expiry ON login (expires_at_us);
