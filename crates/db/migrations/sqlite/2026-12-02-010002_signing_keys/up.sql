-- An app has one signing key at most: the one that signs. What was stored as such before was never looked at: it stays as a token.
UPDATE credential SET kind = 'store-token' WHERE kind = 'signing-key';
CREATE UNIQUE INDEX credential_signing_key ON credential (app) WHERE kind = 'signing-key';
