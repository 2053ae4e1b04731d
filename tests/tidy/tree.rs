//! This file's job is to read the files that git tracks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rust_file::RustFile;

/// Every tracked text file by its path. Binary files have a path but no text.
#[derive(Debug)]
pub struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads the repository this test stands in.
    pub fn load() -> Self {
        let root = root();
        let output = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output().expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
        let paths = listed.split('\0').filter(|path| !path.is_empty());
        // A file deleted but not yet committed is listed and absent.
        let files = paths.filter_map(|path| fs::read(root.join(path)).ok().map(|bytes| (path.to_owned(), bytes)));
        Self { files: files.map(|(path, bytes)| (path, String::from_utf8(bytes).ok())).collect() }
    }

    /// Every path.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Every text file.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Every Rust file.
    pub fn rust_files(&self) -> impl Iterator<Item = RustFile<'_>> {
        self.texts().filter(|(path, _)| path.ends_with(".rs")).map(|(path, text)| RustFile::new(path, text))
    }

    /// One file that must be there.
    pub fn text(&self, path: &str) -> &str {
        self.files.get(path).and_then(Option::as_deref).unwrap_or_else(|| panic!("{path} is not tracked"))
    }
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the repository").to_path_buf()
}
