-- Devices whose tokens edges refuse.
CREATE TABLE device_revocation (
    app TEXT NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    PRIMARY KEY (app, device)
) STRICT;
