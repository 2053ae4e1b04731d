-- The second step of a sign-in: an authenticator app's secret, sealed, and codes for the day when the app is gone.
CREATE TABLE second_factor (
    account TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    sealed_secret BYTEA NOT NULL,
    master_key TEXT COLLATE "C" NOT NULL,
    -- The newest time step whose code was used; none counts twice.
    last_step BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    confirmed_at_us BIGINT
);
CREATE TABLE recovery_code (
    account TEXT COLLATE "C" NOT NULL REFERENCES second_factor (account) ON DELETE CASCADE,
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (account, code_hash)
);
