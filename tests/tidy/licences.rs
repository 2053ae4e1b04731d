//! This file's job is to check that every dependency may be used.
//!
//! The list agrees with deny.toml, which says the same to cargo-deny and adds advisories.

use cargo_metadata::MetadataCommand;

use crate::finding::Finding;
use crate::tree::root;

/// Permissive licences, and file-level copyleft for crates used unchanged.
const ACCEPTED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PostgreSQL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// A dependency with the SPDX expression it declares.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Name and version.
    pub name: String,
    /// As it stands in Cargo.toml.
    pub licence: Option<String>,
}

/// Every package in the dependency graph of the platform this runs on.
pub fn dependencies() -> Vec<Dependency> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--locked", "--filter-platform", &host].map(str::to_owned).to_vec();
    let metadata =
        MetadataCommand::new().current_dir(root()).other_options(options).exec().expect("cargo metadata runs");
    let packages = metadata.packages.into_iter();
    packages
        .map(|package| Dependency { name: format!("{} {}", package.name, package.version), licence: package.license })
        .collect()
}

/// Every dependency whose expression no accepted licence satisfies.
pub fn unaccepted(dependencies: &[Dependency]) -> Vec<Finding> {
    let problem = |dependency: &Dependency| match &dependency.licence {
        None => Some("declares no licence".to_owned()),
        Some(licence) if !is_accepted(licence) => Some(format!("has the licence `{licence}`")),
        Some(_) => None,
    };
    dependencies.iter().filter_map(|each| Some(Finding::whole(&each.name, problem(each)?))).collect()
}

/// Evaluates an SPDX expression (SPDX specification 2.3, annex D); the old `MIT/Apache-2.0` form means OR.
fn is_accepted(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let accepted = any_of(&mut rest);
    let count = |parenthesis: &str| words.iter().filter(|word| **word == parenthesis).count();
    accepted && rest.is_empty() && count("(") == count(")")
}

fn any_of(words: &mut &[&str]) -> bool {
    let mut accepted = all_of(words);
    while let [next, rest @ ..] = *words
        && *next == "OR"
    {
        *words = rest;
        // Both sides must be read, whatever the first one gave.
        accepted |= all_of(words);
    }
    accepted
}

fn all_of(words: &mut &[&str]) -> bool {
    let mut accepted = one(words);
    while let [next, rest @ ..] = *words
        && *next == "AND"
    {
        *words = rest;
        accepted &= one(words);
    }
    accepted
}

fn one(words: &mut &[&str]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let accepted = any_of(words);
            *words = words.strip_prefix(&[")"]).unwrap_or_default();
            accepted
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            ACCEPTED.contains(licence) || ACCEPTED.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, rest @ ..] => {
            *words = rest;
            ACCEPTED.contains(licence)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strong_copyleft_or_missing_licence_is_found() {
        for licence in
            [None, Some("GPL-3.0-only"), Some("MIT AND AGPL-3.0-only"), Some("(GPL-2.0 OR AGPL-3.0)"), Some("")]
        {
            let dependency = Dependency { name: "sample 1.0.0".to_owned(), licence: licence.map(str::to_owned) };
            assert_eq!(unaccepted(&[dependency]).len(), 1, "{licence:?}");
        }
    }

    #[test]
    fn a_choice_is_accepted_when_one_branch_is() {
        for licence in [
            "GPL-3.0-only OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR X",
        ] {
            assert!(is_accepted(licence), "{licence}");
        }
        assert!(!is_accepted("MIT OR (GPL-3.0"));
    }

    #[test]
    fn the_graph_is_seen_with_its_licences() {
        let dependencies = dependencies();
        assert!(dependencies.len() > 200, "{}", dependencies.len());
        assert!(
            dependencies.iter().any(|each| each.name.starts_with("tokio ") && each.licence.as_deref() == Some("MIT"))
        );
    }
}
