//! This file's job is to fuzz the edge's files of snapshots.

pub use edge_proxy::foreign::snapshot_file as run;
