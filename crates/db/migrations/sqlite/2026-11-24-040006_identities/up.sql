-- Who people are at the provider with which they sign in.
CREATE TABLE identity (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;
CREATE INDEX identity_by_account ON identity (account);
CREATE INDEX invitation_by_reader ON invitation (email, expires_at_us);
