-- Which credentials replicas must look up again: the public id of a key, or the id of an organization for all of its credentials.
CREATE TABLE credential_change (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject TEXT NOT NULL,
    at_us BIGINT NOT NULL
);
CREATE INDEX credential_change_by_time ON credential_change (at_us);
