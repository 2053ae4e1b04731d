-- Which credentials replicas must look up again: the public id of a key, or the id of an organization for all of its credentials.
CREATE TABLE credential_change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX credential_change_by_time ON credential_change (at_us);
