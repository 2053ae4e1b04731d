//! This file's job is to list the files of a folder with their hashes.

use crate::detect::Input;
use crate::error::{Error, Refusal};
use crate::limits::DEPTH_MAX;
use domain::hash::Hasher;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Files are hashed in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedFile {
    /// Where it lies on this machine.
    pub location: PathBuf,
    /// What detecting needs to know of it.
    pub input: Input,
}

/// Lists all files below the folder, sorted by path; a single file is listed alone.
///
/// A link to a file inside the folder counts as that file. Other links are refused: what lies behind them was perhaps not meant to be
/// published.
///
/// # Errors
/// When a file cannot be read, has a name that cannot be published, or is a link or a special file.
pub fn scan(folder: &Path) -> Result<Vec<ScannedFile>, Error> {
    let root = fs::canonicalize(folder).map_err(local("opening", folder))?;
    let mut found = Vec::new();
    if root.is_file() {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        found.push(hash(&root, name)?);
        return Ok(found);
    }
    walk(&root, &root, "", &mut found)?;
    found.sort_by(|a, b| a.input.path.cmp(&b.input.path));
    Ok(found)
}

fn walk(root: &Path, folder: &Path, prefix: &str, found: &mut Vec<ScannedFile>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(local("listing", folder))? {
        let entry = entry.map_err(local("listing", folder))?;
        let name = entry.file_name().into_string().map_err(|name| Refusal::Name {
            entry: format!("{prefix}{}", name.to_string_lossy()),
            rule: "is not UTF-8",
        })?;
        let (location, path) = (entry.path(), format!("{prefix}{name}"));
        let kind = entry.file_type().map_err(local("looking at", &location))?;
        if kind.is_dir() {
            if path.split('/').count() >= DEPTH_MAX {
                return Err(Refusal::Name { entry: path, rule: "has more than 32 folders" }.into());
            }
            walk(root, &location, &format!("{path}/"), found)?;
        } else if kind.is_file() {
            found.push(hash(&location, path)?);
        } else if kind.is_symlink() {
            found.push(hash(&resolve(root, &location, &path)?, path)?);
        } else {
            return Err(Refusal::Special { entry: path, what: "a device or another special file" }.into());
        }
    }
    Ok(())
}

/// Follows a link to a file inside the folder.
fn resolve(root: &Path, link: &Path, path: &str) -> Result<PathBuf, Error> {
    let target = fs::canonicalize(link).map_err(local("following the link", link))?;
    if target.starts_with(root) && target.is_file() {
        return Ok(target);
    }
    let what = "a link to a folder, or out of the folder";
    Err(Refusal::Special { entry: path.to_owned(), what }.into())
}

fn hash(location: &Path, path: String) -> Result<ScannedFile, Error> {
    let mut file = File::open(location).map_err(local("opening", location))?;
    let (mut hasher, mut size_bytes, mut piece) = (Hasher::default(), 0, vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&piece[..count]);
                size_bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(local("reading", location)(error)),
        }
    }
    Ok(ScannedFile { location: location.to_owned(), input: Input { path, sha256: hasher.finish(), size_bytes } })
}

/// Adds the file's name to an error.
pub(crate) fn local(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |cause| Error::Local { action, path, cause }
}
