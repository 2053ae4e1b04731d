-- Who is to become a member of an organization; the token is with the mail.
CREATE TABLE invitation (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    email TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    invited_by TEXT COLLATE "C" NOT NULL,
    mail TEXT COLLATE "C" NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitation_by_email ON invitation (organization, email);
CREATE UNIQUE INDEX invitation_by_mail ON invitation (mail);
