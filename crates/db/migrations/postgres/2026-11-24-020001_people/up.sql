-- People sign in: their passwords, sessions and the mails that prove their addresses.

ALTER TABLE account ADD COLUMN password_hash TEXT COLLATE "C";
ALTER TABLE account ADD COLUMN email_verified_at_us BIGINT;

-- Names that look alike have one skeleton; see OrganizationSlug::skeleton.
ALTER TABLE organization ADD COLUMN slug_skeleton TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE organization SET slug_skeleton = replace(replace(replace(replace(replace(replace(replace(replace(
    slug, '-', ''), '_', ''), '.', ''), '0', 'o'), '1', 'l'), 'i', 'l'), 'rn', 'm'), 'vv', 'w');
-- Of names that look alike already, the oldest keeps the skeleton.
UPDATE organization SET slug_skeleton = slug_skeleton || '/' || id WHERE EXISTS (
    SELECT 1 FROM organization AS older WHERE older.slug_skeleton = organization.slug_skeleton AND older.id < organization.id);
CREATE UNIQUE INDEX organization_by_skeleton ON organization (slug_skeleton);

CREATE TABLE session (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    token_hash BYTEA NOT NULL UNIQUE,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('browser', 'command-line')),
    -- The only organization that it may touch; all of the person's when null.
    organization TEXT COLLATE "C" REFERENCES organization (id) ON DELETE CASCADE,
    client TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    refreshed_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL
);
CREATE INDEX session_by_account ON session (account, id);
CREATE INDEX session_by_expiry ON session (expires_at_us);

CREATE TABLE mail (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('sign-up', 'account-exists', 'reset-password', 'invitation', 'security-notice')),
    address TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" REFERENCES account (id) ON DELETE CASCADE,
    -- Of the token in the mail; set when the mail is sent.
    token_hash BYTEA UNIQUE,
    -- What is said besides, for people.
    detail TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    sent_at_us BIGINT,
    used_at_us BIGINT
);
CREATE INDEX mail_by_address ON mail (address, created_at_us);
CREATE INDEX mail_by_expiry ON mail (expires_at_us);
