-- The newest launches of an app show which bundles its devices run.
CREATE INDEX event_by_kind ON event (app, platform, kind, received_at_us);
