//! This file's job is to list the pairs of bundles that patches are measured on.

use std::path::{Path, PathBuf};

/// What a bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Minified JavaScript.
    Script,
    /// Hermes bytecode, compiled on its own.
    Plain,
    /// Hermes bytecode, compiled with the version before as `-base-bytecode`.
    Based,
}

/// Two bundles, the new one made from the old one by a change of the kind that the name says.
pub struct Pair {
    pub name: String,
    pub kind: Kind,
    /// Whether one line changed.
    pub is_fix: bool,
    pub old: PathBuf,
    pub new: PathBuf,
}

/// The corpus is one app in four versions.
const CHANGES: [(&str, &str, &str); 4] =
    [("fix", "v1", "v2"), ("feature", "v2", "v3"), ("dependencies", "v3", "v4"), ("three releases", "v1", "v4")];

/// Lists the pairs of the corpus. Bundles of the other platform differ too little to be measured as well.
pub fn list(corpus: &Path) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for kind in [Kind::Script, Kind::Plain, Kind::Based] {
        for (change, from, to) in CHANGES {
            let (name, old, new) = match kind {
                Kind::Script => ("js", "js", "js"),
                Kind::Plain => ("hbc plain", "hermes", "hermes"),
                // The first version had no base.
                Kind::Based => ("hbc base", if from == "v1" { "hermes" } else { "hermes-base" }, "hermes-base"),
            };
            let file = |version: &str, folder: &str| {
                corpus.join(version).join("android").join(folder).join("index.android.bundle")
            };
            let (old, new) = (file(from, old), file(to, new));
            pairs.push(Pair { name: format!("{name}, {change}"), kind, is_fix: change == "fix", old, new });
        }
    }
    pairs
}
