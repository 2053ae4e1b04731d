-- Addresses that are told what happens in an organization, or in one of its apps.
CREATE TABLE webhook (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    app TEXT COLLATE "C" REFERENCES app (id) ON DELETE CASCADE,
    url TEXT COLLATE "C" NOT NULL,
    events TEXT COLLATE "C" NOT NULL,
    enabled BOOLEAN NOT NULL,
    sealed_secret BYTEA NOT NULL,
    master_key TEXT COLLATE "C" NOT NULL,
    previous_secret BYTEA,
    previous_master_key TEXT COLLATE "C",
    previous_until_us BIGINT,
    revision BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    updated_at_us BIGINT NOT NULL
);
CREATE INDEX webhook_by_organization ON webhook (organization, id);
CREATE INDEX webhook_by_app ON webhook (app);

-- What is, or was, sent to a webhook; to the operator's when there is none. Written in the transaction of what is told.
CREATE TABLE webhook_delivery (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    webhook TEXT COLLATE "C" REFERENCES webhook (id) ON DELETE CASCADE,
    tenant TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    tries BIGINT NOT NULL,
    next_try_at_us BIGINT,
    error TEXT COLLATE "C",
    created_at_us BIGINT NOT NULL,
    finished_at_us BIGINT
);
CREATE INDEX webhook_delivery_by_webhook ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_by_state ON webhook_delivery (webhook, state);
CREATE INDEX webhook_delivery_by_time ON webhook_delivery (created_at_us);

-- Every try of a delivery.
CREATE TABLE webhook_try (
    delivery TEXT COLLATE "C" NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    status BIGINT,
    error TEXT COLLATE "C",
    PRIMARY KEY (delivery, number)
);
