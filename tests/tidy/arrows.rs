//! This file's job is to check which package may use which.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::DependencyKind;

use crate::finding::Finding;
use crate::workspace::workspace;

/// What a package may use of ours. A package that is not listed is not allowed to exist.
const ARROWS: [(&str, &[&str]); 17] = [
    ("domain", &[]),
    ("delta", &[]),
    ("delta-c", &["delta"]),
    ("runtime", &["domain"]),
    ("proto", &["domain"]),
    ("bundle", &["domain"]),
    ("db", &["domain", "runtime"]),
    ("blob", &["domain", "runtime"]),
    ("testkit", &["domain", "runtime"]),
    ("control-plane", &["proto", "db", "blob", "bundle", "runtime", "domain"]),
    ("worker", &["db", "blob", "bundle", "delta", "runtime", "domain"]),
    ("edge-proxy", &["proto", "blob", "runtime", "domain"]),
    ("cli", &["proto", "bundle", "delta", "runtime", "domain"]),
    // The composition root opens what the roles share, and its demo speaks to them as a client and a device do.
    (
        "standalone",
        &["control-plane", "worker", "edge-proxy", "proto", "db", "blob", "bundle", "delta", "runtime", "domain"],
    ),
    ("xtask", &[]),
    // It feeds the parsers of every room.
    ("fuzz", &["control-plane", "edge-proxy", "proto", "db", "bundle", "delta", "domain"]),
    (
        "tests",
        &[
            "testkit",
            "standalone",
            "cli",
            "control-plane",
            "worker",
            "edge-proxy",
            "proto",
            "db",
            "blob",
            "bundle",
            "delta",
            "runtime",
            "domain",
        ],
    ),
];
/// What only tests may use.
const FOR_TESTS: &str = "testkit";

/// A package of ours, and what it uses of ours.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Needed to build it.
    pub uses: BTreeSet<String>,
    /// Needed to build its tests.
    pub tests_use: BTreeSet<String>,
}

/// The workspace as cargo sees it.
pub fn packages() -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    for package in workspace().packages {
        let mut arrows = Package::default();
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let uses =
                if dependency.kind == DependencyKind::Development { &mut arrows.tests_use } else { &mut arrows.uses };
            uses.insert(dependency.name.clone());
        }
        packages.insert(package.name.to_string(), arrows);
    }
    packages
}

/// Every arrow that is not in the table; tests may go where the package may, and use the test kit.
pub fn forbidden_arrows(packages: &BTreeMap<String, Package>) -> Vec<Finding> {
    let table: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut findings = Vec::new();
    for (name, package) in packages {
        let Some(allowed) = table.get(name.as_str()) else {
            findings.push(Finding::whole(name, "stands in no room; add it to the table of arrows with a reason"));
            continue;
        };
        for used in package.uses.iter().filter(|used| !allowed.contains(&used.as_str())) {
            findings.push(Finding::whole(name, format!("must not use `{used}`")));
        }
        let test_allowed = |used: &str| allowed.contains(&used) || used == FOR_TESTS;
        for used in package.tests_use.iter().filter(|used| !test_allowed(used)) {
            findings.push(Finding::whole(
                name,
                format!("must not use `{used}`, not even in tests; write the test in tests/"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, uses: &[&str], tests_use: &[&str]) -> usize {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let package = Package { uses: owned(uses), tests_use: owned(tests_use) };
        forbidden_arrows(&BTreeMap::from([(name.to_owned(), package)])).len()
    }

    #[test]
    fn an_arrow_up_or_across_is_found() {
        assert_eq!(findings("domain", &["runtime"], &[]), 1);
        assert_eq!(findings("edge-proxy", &["db"], &[]), 1);
        assert_eq!(findings("worker", &["control-plane"], &[]), 1);
        assert_eq!(findings("edge-proxy", &["blob", "domain"], &[]), 0);
    }

    #[test]
    fn the_test_kit_never_ships() {
        assert_eq!(findings("worker", &["testkit"], &[]), 1);
        assert_eq!(findings("worker", &["db"], &["testkit"]), 0);
        assert_eq!(findings("edge-proxy", &[], &["control-plane"]), 1);
    }

    #[test]
    fn a_package_without_a_room_is_found() {
        assert_eq!(findings("extras", &[], &[]), 1);
    }

    #[test]
    fn the_whole_workspace_is_seen() {
        let packages = packages();
        assert_eq!(packages.len(), ARROWS.len());
        assert!(packages["worker"].uses.contains("db"), "{packages:?}");
    }
}
