//! This file's job is to keep the names of machines, homes and package registries out of the repository.

use crate::finding::Finding;

/// Written in pieces, so that this file does not break its own rule.
const FORBIDDEN: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    SAMPLE_HOMES,
    concat!("/Us", "ers/"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("files.python", "hosted.org"),
];

/// Tests of paths need a home of somebody who does not exist: in Rust files it is allowed.
const SAMPLE_HOMES: &str = concat!("/ho", "me/");

/// Every line that names one. Cargo.lock says where packages come from by design.
pub fn named(path: &str, text: &str) -> Vec<Finding> {
    if path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let found = text.lines().enumerate().flat_map(|(index, line)| {
        let names = FORBIDDEN.iter().filter(|name| **name != SAMPLE_HOMES || !path.ends_with(".rs"));
        names.filter(move |name| names_place(line, name)).map(move |name| (index, name))
    });
    found.map(|(index, name)| Finding::at(path, index, format!("names `{name}`"))).collect()
}

/// A path counts when it starts there: not in the middle of another path, and not behind a host.
fn names_place(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        !name.starts_with('/')
            || !line[..at].ends_with(|letter: char| letter.is_alphanumeric() || "._-}".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_forbidden_name_is_found() {
        for name in FORBIDDEN {
            let text = format!("first line\nsee \"{name}aloft\"\n");
            let findings = named("docs/ARCHITECTURE.md", &text);
            assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2], "{name}");
        }
    }

    #[test]
    fn a_sample_home_is_fine_in_rust_only() {
        let line = concat!("\"/ho", "me/pat\"");
        assert_eq!((named("cli/src/settings.rs", line).len(), named("README.md", line).len()), (0, 1));
    }

    #[test]
    fn an_npm_lock_file_with_addresses_is_found() {
        let line = concat!("\"resolved\": \"https://registry.npm", "js.org/react/-/react-19.2.3.tgz\"");
        assert_eq!(named("dashboard/package-lock.json", line).len(), 1);
        assert_eq!(named("Cargo.lock", line).len(), 0);
    }

    #[test]
    fn a_path_inside_something_else_is_fine() {
        assert!(named("a.md", concat!("charts/ho", "me/x and https://example.org/ho", "me/")).is_empty());
    }
}
