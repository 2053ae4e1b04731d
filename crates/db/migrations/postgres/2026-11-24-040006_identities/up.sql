-- Who people are at the provider with which they sign in.
CREATE TABLE identity (
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_by_account ON identity (account);
CREATE INDEX invitation_by_reader ON invitation (email, expires_at_us);
