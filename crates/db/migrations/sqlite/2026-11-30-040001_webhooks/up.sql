-- Addresses that are told what happens in an organization, or in one of its apps.
CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    app TEXT REFERENCES app (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    sealed_secret BLOB NOT NULL,
    master_key TEXT NOT NULL,
    previous_secret BLOB,
    previous_master_key TEXT,
    previous_until_us INTEGER,
    revision INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_by_organization ON webhook (organization, id);
CREATE INDEX webhook_by_app ON webhook (app);

-- What is, or was, sent to a webhook; to the operator's when there is none. Written in the transaction of what is told.
CREATE TABLE webhook_delivery (
    id TEXT NOT NULL PRIMARY KEY,
    webhook TEXT REFERENCES webhook (id) ON DELETE CASCADE,
    tenant TEXT NOT NULL,
    message TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    tries INTEGER NOT NULL,
    next_try_at_us INTEGER,
    error TEXT,
    created_at_us INTEGER NOT NULL,
    finished_at_us INTEGER
) STRICT;
CREATE INDEX webhook_delivery_by_webhook ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_by_state ON webhook_delivery (webhook, state);
CREATE INDEX webhook_delivery_by_time ON webhook_delivery (created_at_us);

-- Every try of a delivery.
CREATE TABLE webhook_try (
    delivery TEXT NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (delivery, number)
) STRICT;
