//! This file's job is to check that the log knows which crates are ours.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, TargetKind};

use crate::finding::Finding;

/// Where the list is.
const LIST: &str = "crates/runtime/src/log.rs";
/// What those who log depend on.
const LOGGING: &str = "tracing";

/// Every library or program that logs and is not listed, and the reverse: below `info`, only listed ones are heard.
pub fn unlisted(workspace: &Metadata, listed: &[&str]) -> Vec<Finding> {
    let logs = |package: &&cargo_metadata::Package| package.dependencies.iter().any(|uses| uses.name == LOGGING);
    let targets = workspace.packages.iter().filter(logs).flat_map(|package| &package.targets);
    let is_built_in = |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::Bin);
    let logging: BTreeSet<String> = targets
        .filter(|target| target.kind.iter().any(is_built_in))
        .map(|target| target.name.replace('-', "_"))
        .collect();
    let listed: BTreeSet<String> = listed.iter().map(ToString::to_string).collect();
    logging
        .symmetric_difference(&listed)
        .map(|name| Finding::whole(LIST, format!("{name} logs and is not in OWN_CRATES, or the reverse")))
        .collect()
}

#[test]
fn a_crate_that_is_missing_or_does_not_log_is_found() {
    let workspace = crate::workspace::workspace();
    let listed = runtime::log::OWN_CRATES;
    let without_worker: Vec<&str> = listed.into_iter().filter(|name| *name != "worker").collect();
    assert_eq!(unlisted(&workspace, &without_worker).len(), 1);
    assert_eq!(unlisted(&workspace, &[&listed[..], &["domain"]].concat()).len(), 1);
}
