//! This file's job is to read the workspace as cargo sees it.

use cargo_metadata::{Metadata, MetadataCommand};

use crate::tree::root;

/// Every package of ours, without what they depend on.
pub fn workspace() -> Metadata {
    MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo metadata runs")
}
