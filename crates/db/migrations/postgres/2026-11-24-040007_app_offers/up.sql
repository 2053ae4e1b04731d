-- Apps that one organization offers to another one. The target is no reference: nobody may learn whether it exists.
CREATE TABLE app_offer (
    app TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES app (id) ON DELETE CASCADE,
    target TEXT COLLATE "C" NOT NULL,
    offered_by TEXT COLLATE "C" NOT NULL,
    created_at_us BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL
);
CREATE INDEX app_offer_by_target ON app_offer (target, app);
