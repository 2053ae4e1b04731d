//! This file's job is to check that a downloaded package is the one that was released, and to find the bundle in it.

use crate::error::Error;
use crate::platform::AnyPlatform;
use crate::source::{self, Found, Map};
use bundle::Limits;
use domain::bundle::ArchiveFormat;
use domain::codepush::{folder_hash, package_hash};
use domain::hash::Hasher;
use domain::{Platform, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Enough to tell every archive format.
const MAGIC_BYTES: u64 = 4;
/// Files are hashed in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;

/// A package whose files are what the server says they are.
pub struct Checked {
    /// The bundle in it.
    pub found: Found,
    /// The hash that devices compute of what they get from here. Another one than there when the package has files that no device needs, or is
    /// laid out in another way: then devices download it once more.
    pub hash: Sha256,
    /// Keeps a file that was laid out anew until it is uploaded.
    _folder: Option<TempDir>,
}

/// Checks a package and finds the bundle in it.
///
/// # Errors
/// [`Error::Content`] when its files do not have this hash, or are no bundle.
pub async fn check(location: &Path, expected: &str, platform: Platform) -> Result<Checked, Error> {
    let (location, expected) = (location.to_owned(), expected.to_owned());
    let (location, folder) = source::run_blocking(move || verify(&location, &expected, platform)).await?;
    let wanted = match platform {
        Platform::Android => AnyPlatform::Android,
        Platform::Ios => AnyPlatform::Ios,
    };
    let mut found = source::find(location, Some(wanted), Map::None).await?;
    let found = found.pop().ok_or_else(|| Error::Content("its package is empty".to_owned()))?;
    let hash = package_hash(&found.detected.files);
    Ok(Checked { found, hash, _folder: folder })
}

/// Compares the hash. Returns where the bundle is: a package may be a single file, which then gets the name that binaries look for.
fn verify(location: &Path, expected: &str, platform: Platform) -> Result<(PathBuf, Option<TempDir>), Error> {
    let fail = |source| Error::file(location, source);
    let mut file = File::open(location).map_err(fail)?;
    let mut magic = Vec::new();
    (&file).take(MAGIC_BYTES).read_to_end(&mut magic).map_err(fail)?;
    io::Seek::rewind(&mut file).map_err(fail)?;
    if bundle::sniff(&magic) == Some(ArchiveFormat::Zip) {
        let mut files = Vec::new();
        bundle::read_archive(ArchiveFormat::Zip, file, &Limits::default(), &mut |name, bytes| {
            files.push((name.to_owned(), hash(bytes)?));
            Ok(())
        })?;
        compare(folder_hash(files), expected)?;
        return Ok((location.to_owned(), None));
    }
    compare(hash(&mut file).map_err(fail)?, expected)?;
    let folder = tempfile::tempdir().map_err(|source| Error::file(&std::env::temp_dir(), source))?;
    let target = folder.path().join(match platform {
        Platform::Android => "index.android.bundle",
        Platform::Ios => "main.jsbundle",
    });
    std::fs::copy(location, &target).map_err(fail)?;
    Ok((target, Some(folder)))
}

fn compare(hash: Sha256, expected: &str) -> Result<(), Error> {
    if hash.to_hex() == expected.to_ascii_lowercase() {
        return Ok(());
    }
    Err(Error::Content(format!(
        "its package has the hash {hash} instead of {expected}: it is damaged there, or on the way"
    )))
}

fn hash(bytes: &mut dyn Read) -> io::Result<Sha256> {
    let (mut hasher, mut piece) = (Hasher::default(), vec![0; PIECE_BYTES]);
    loop {
        match bytes.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&piece[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn zip(files: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = zip::ZipWriter::new(file.as_file());
        for (name, bytes) in files {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    fn hash_of(files: &[(&str, &[u8])]) -> String {
        folder_hash(files.iter().map(|(path, bytes)| ((*path).to_owned(), Sha256::of(bytes)))).to_hex()
    }

    #[tokio::test]
    async fn a_package_is_taken_only_with_its_own_hash() {
        let files: [(&str, &[u8]); 3] =
            [("CodePush/main.jsbundle", b"var a=1;"), ("CodePush/a.png", b"png"), ("__MACOSX/CodePush/._a.png", b"x")];
        let (package, expected) = (zip(&files), hash_of(&files));
        let checked = check(package.path(), &expected, Platform::Ios).await.unwrap();
        assert_eq!(checked.hash.to_hex(), expected, "devices see the package that they have");
        let other = check(package.path(), &"0".repeat(64), Platform::Ios).await.map(|_| ()).unwrap_err();
        assert!(other.to_string().contains("damaged"), "{other}");
    }

    #[tokio::test]
    async fn a_single_file_becomes_a_bundle_and_another_layout_another_hash() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"var a=1;").unwrap();
        let expected = Sha256::of(b"var a=1;").to_hex();
        let checked = check(file.path(), &expected, Platform::Android).await.unwrap();
        assert_eq!(checked.found.detected.launch_path, "index.android.bundle");
        assert_ne!(checked.hash.to_hex(), expected);
    }
}
