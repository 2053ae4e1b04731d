//! This file's job is to check the names of entries, each alone and all together.

use crate::error::Refusal;
use crate::limits::DEPTH_MAX;
use domain::bundle::check_path;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization as _;

/// Names seen so far, folded as file systems that ignore case or Unicode's forms do.
#[derive(Default)]
pub(crate) struct Names {
    files: HashMap<String, String>,
    /// Folded folders, each with an entry that lies in it.
    folders: HashMap<String, String>,
}

impl Names {
    /// Takes the name of a file, or says why not.
    pub(crate) fn add(&mut self, name: &str) -> Result<(), Refusal> {
        check(name)?;
        let folded = fold(name);
        if let Some(other) = self.files.get(&folded).or_else(|| self.folders.get(&folded)) {
            return Err(Refusal::Duplicate { entry: name.to_owned(), other: other.clone() });
        }
        let folders = folded.match_indices('/').map(|(end, _)| &folded[..end]);
        for folder in folders {
            if let Some(other) = self.files.get(folder) {
                return Err(Refusal::Duplicate { entry: name.to_owned(), other: other.clone() });
            }
            if !self.folders.contains_key(folder) {
                self.folders.insert(folder.to_owned(), name.to_owned());
            }
        }
        self.files.insert(folded, name.to_owned());
        Ok(())
    }
}

/// Reads a name from an archive; a leading `./`, as `tar` writes it, is dropped.
pub(crate) fn decode(raw: &[u8]) -> Result<&str, Refusal> {
    let name = std::str::from_utf8(raw)
        .map_err(|_| Refusal::Name { entry: String::from_utf8_lossy(raw).into_owned(), rule: "is not UTF-8" })?;
    Ok(name.strip_prefix("./").unwrap_or(name))
}

/// Checks the name of a file or, without its last slash, of a folder.
pub(crate) fn check(name: &str) -> Result<(), Refusal> {
    let refuse = |rule| Err(Refusal::Name { entry: name.to_owned(), rule });
    if let Err(invalid) = check_path(name) {
        return refuse(invalid.rule);
    }
    if name.split('/').count() > DEPTH_MAX {
        return refuse("has more than 32 folders");
    }
    Ok(())
}

fn fold(name: &str) -> String {
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_device_cannot_tell_apart_clash() {
        for (first, second) in [
            ("a.png", "a.png"),
            ("a.png", "A.PNG"),
            ("gr\u{f6}\u{df}e.png", "gro\u{308}\u{df}e.png"),
            ("\u{c4}", "a\u{308}"),
            ("a", "a/b"),
            ("a/b", "A"),
        ] {
            let mut names = Names::default();
            names.add(first).unwrap();
            assert!(matches!(names.add(second), Err(Refusal::Duplicate { .. })), "{first} {second}");
        }
    }

    #[test]
    fn different_names_do_not_clash() {
        let mut names = Names::default();
        for name in ["a/b", "a/c", "b", "a-b", "A2/b"] {
            names.add(name).unwrap();
        }
    }

    #[test]
    fn names_that_leave_the_folder_or_go_too_deep_are_refused() {
        let deep = "a/".repeat(DEPTH_MAX) + "b";
        for name in ["../a", "/etc/passwd", "a\\b", "C:/x", "a/../b", "", deep.as_str()] {
            assert!(matches!(Names::default().add(name), Err(Refusal::Name { .. })), "{name}");
        }
    }
}
