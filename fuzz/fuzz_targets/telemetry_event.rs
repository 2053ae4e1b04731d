//! This file's job is to fuzz events on their way from an edge to the control plane.

use prost::Message as _;
use proto::convert::{event_from_wire, event_to_wire};

/// What is accepted survives encoding.
pub fn run(bytes: &[u8]) {
    let Ok(wire) = proto::v1::TelemetryEvent::decode(bytes) else { return };
    if let Ok(event) = event_from_wire(wire) {
        assert_eq!(event_from_wire(event_to_wire(&event)).as_ref(), Ok(&event));
    }
}
