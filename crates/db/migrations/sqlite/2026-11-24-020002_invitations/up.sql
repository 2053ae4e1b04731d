-- Who is to become a member of an organization; the token is with the mail.
CREATE TABLE invitation (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    invited_by TEXT NOT NULL,
    mail TEXT NOT NULL REFERENCES mail (id) ON DELETE CASCADE,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX invitation_by_email ON invitation (organization, email);
CREATE UNIQUE INDEX invitation_by_mail ON invitation (mail);
