//! This file's job is to fuzz encoded snapshots: what the edge gets from the control plane and keeps on disk.

/// What is accepted survives encoding and can be answered from.
pub fn run(bytes: &[u8]) {
    edge_proxy::foreign::snapshot(bytes);
    if let Ok(snapshot) = proto::convert::decode_snapshot(bytes) {
        let again = proto::convert::encode_snapshot(&snapshot);
        assert_eq!(proto::convert::decode_snapshot(&again).as_ref(), Ok(&snapshot));
    }
}
