-- The second step of a sign-in: an authenticator app's secret, sealed, and codes for the day when the app is gone.
CREATE TABLE second_factor (
    account TEXT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    sealed_secret BLOB NOT NULL,
    master_key TEXT NOT NULL,
    -- The newest time step whose code was used; none counts twice.
    last_step INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    confirmed_at_us INTEGER
) STRICT;
CREATE TABLE recovery_code (
    account TEXT NOT NULL REFERENCES second_factor (account) ON DELETE CASCADE,
    code_hash BLOB NOT NULL,
    PRIMARY KEY (account, code_hash)
) STRICT;
