-- What Expo clients are told of releases, frozen when each was published.
CREATE TABLE expo_update (
    release TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES release (id) ON DELETE CASCADE,
    app TEXT COLLATE "C" NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    committed_at_ms BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C" NOT NULL,
    certificate_chain TEXT COLLATE "C" NOT NULL
);
-- Devices keep no two updates of an app with the same time.
CREATE UNIQUE INDEX expo_update_by_time ON expo_update (app, committed_at_ms);
-- The newest time that was given to an update of the app.
ALTER TABLE app ADD COLUMN expo_committed_at_ms BIGINT NOT NULL DEFAULT 0;
-- By what Expo clients name the update that came with the binary.
ALTER TABLE binary_build ADD COLUMN embedded_update TEXT COLLATE "C";
