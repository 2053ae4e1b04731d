-- Old events are forgotten as plans say.
CREATE INDEX event_by_time ON event (received_at_us);
