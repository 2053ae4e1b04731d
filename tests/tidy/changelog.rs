//! This file's job is to see that unreleased changes are described.

use crate::finding::Finding;

/// Where the fragments are.
const FOLDER: &str = "docs/changes/unreleased/";

/// A finding when there is no fragment, and one for each that says nothing.
pub fn missing_fragments<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Finding> {
    let fragments: Vec<_> = texts.filter(|(path, _)| path.starts_with(FOLDER) && path.ends_with(".md")).collect();
    if fragments.is_empty() {
        return vec![Finding::whole(FOLDER, "there is no fragment: describe the change in a .md file here")];
    }
    let empty = fragments.iter().filter(|(_, text)| text.split_whitespace().count() < 3);
    empty.map(|(path, _)| Finding::whole(path, "the fragment says nothing")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_an_empty_fragment_are_found() {
        assert_eq!(missing_fragments([("docs/changes/README.md", "one two three")].into_iter()).len(), 1);
        assert_eq!(missing_fragments([("docs/changes/unreleased/a.md", "\n")].into_iter()).len(), 1);
        assert_eq!(missing_fragments([("docs/changes/unreleased/a.md", "Edges serve ranges.")].into_iter()).len(), 0);
    }
}
