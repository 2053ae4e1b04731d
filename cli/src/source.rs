//! This file's job is to turn what people have on disk into the files of bundles.

use crate::error::Error;
use crate::platform::AnyPlatform;
use bundle::{Detected, Layout, Limits, ScannedFile};
use domain::bundle::{BundleFile, FileRole, content_hash};
use domain::{Platform, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Enough to tell every archive format.
const MAGIC_BYTES: usize = 4;
/// Where Metro puts assets beside the bundle: one of these names, or one that begins with [`ANDROID_IMAGES`].
const ASSET_FOLDERS: [&str; 2] = ["assets", "raw"];
const ANDROID_IMAGES: &str = "drawable-";
/// Archives are unpacked to folders with this name in the system's folder for temporary files.
const UNPACKED: &str = "aloft-unpacked-";
/// No command runs that long: an older folder was left by one that was killed.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Which source map goes with a bundle. The server keeps it for those who may publish, and no device ever gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Map {
    /// The one beside the launch file, with its name and `.map` behind it, if there is one.
    Beside,
    /// None.
    None,
    /// This file.
    File(PathBuf),
}

/// One bundle that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it runs on.
    pub platform: Platform,
    /// What it is.
    pub detected: Detected,
    /// The files that the server needs to detect the same, and the source map, sorted by path.
    pub files: Vec<ScannedFile>,
    /// Keeps unpacked, compiled and added files until they are packed again.
    _unpacked: Vec<Arc<tempfile::TempDir>>,
}

impl Found {
    /// Returns the bundle's content hash.
    #[must_use]
    pub fn content_sha256(&self) -> Sha256 {
        content_hash(&self.detected.files)
    }

    /// Adds a file beside the launch file, or replaces it.
    pub fn with_file(mut self, path: &str, bytes: &[u8]) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix(UNPACKED).tempdir();
        let folder = folder.map_err(|source| Error::file(&std::env::temp_dir(), source))?;
        let location = folder.path().join("added");
        std::fs::write(&location, bytes).map_err(|source| Error::file(&location, source))?;
        let launch = &self.detected.launch_path;
        let roots = self.files.iter().filter_map(|file| file.input.path.strip_suffix(launch.as_str()));
        let root = roots.filter(|root| root.is_empty() || root.ends_with('/')).min_by_key(|root| root.len());
        let found_path = format!("{}{path}", root.unwrap_or_default());
        let (sha256, size_bytes) = (Sha256::of(bytes), bytes.len() as u64);
        self.files.retain(|file| file.input.path != found_path);
        self.detected.files.retain(|file| file.path != path);
        let input = bundle::Input { path: found_path, sha256, size_bytes };
        self.files.push(ScannedFile { location, input });
        self.files.sort_by(|a, b| a.input.path.cmp(&b.input.path));
        self.detected.files.push(BundleFile { path: path.to_owned(), sha256, size_bytes, role: FileRole::Asset });
        self.detected.files.sort_by(|a, b| a.path.cmp(&b.path));
        self._unpacked.push(Arc::new(folder));
        Ok(self)
    }

    /// Returns the size of the bundle's files in bytes.
    #[must_use]
    pub fn total_size_bytes(&self) -> u64 {
        self.detected.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Returns where the launch file lies on this machine.
    #[must_use]
    pub fn launch_location(&self) -> Option<&Path> {
        let launch = self.detected.files.iter().find(|file| file.role == FileRole::Launch)?;
        self.files.iter().find(|file| file.input.sha256 == launch.sha256).map(|file| file.location.as_path())
    }

    /// Puts another file in the place of the launch file, which lies in this folder.
    ///
    /// # Errors
    /// When the file cannot be read, or makes no bundle.
    pub fn with_launch(&self, launch: &Path, folder: tempfile::TempDir) -> Result<Self, Error> {
        let scanned =
            bundle::scan(launch)?.pop().ok_or_else(|| Error::Content("there is no launch file".to_owned()))?;
        let before = self.launch_location().map(Path::to_owned);
        let mut files = self.files.clone();
        // The map beside it leads from the file before.
        let map = files
            .iter()
            .find(|file| Some(&file.location) == before.as_ref())
            .map(|file| format!("{}.map", file.input.path));
        files.retain(|file| Some(&file.input.path) != map.as_ref());
        for file in files.iter_mut().filter(|file| Some(&file.location) == before.as_ref()) {
            let path = file.input.path.clone();
            *file = ScannedFile {
                location: scanned.location.clone(),
                input: bundle::Input { path, ..scanned.input.clone() },
            };
        }
        let mut kept = self._unpacked.clone();
        kept.push(Arc::new(folder));
        Ok(detect(&files, &kept, self.platform)?)
    }
}

/// Finds the bundles for the wanted platform; without one, for every platform that the files are for.
pub async fn find(path: PathBuf, platform: Option<AnyPlatform>, map: Map) -> Result<Vec<Found>, Error> {
    run_blocking(move || {
        let (files, unpacked) = read(&path)?;
        let mut found = find_platforms(&files, &kept(unpacked), platform)?;
        if matches!(map, Map::File(_)) && found.len() > 1 {
            return Err(Error::Usage("--source-map belongs to one bundle; say which with --platform".to_owned()));
        }
        found.iter_mut().try_for_each(|found| add_map(found, &files, &map))?;
        Ok(found)
    })
    .await
}

/// Adds the source map under the path that the server looks for; `files` are those that may lie beside the launch file.
///
/// # Errors
/// When the file that was named cannot be read.
pub fn add_map(found: &mut Found, files: &[ScannedFile], map: &Map) -> Result<(), Error> {
    let path = bundle::source_map_path(&found.detected.launch_source);
    let mut chosen = match map {
        Map::None => None,
        Map::Beside => files.iter().find(|file| file.input.path == path).cloned(),
        Map::File(location) => bundle::scan(location)?.pop(),
    };
    if let Some(file) = &mut chosen {
        file.input.path.clone_from(&path);
    }
    found.detected.source_map = chosen.is_some().then_some(path);
    found.files.extend(chosen);
    found.files.sort_by(|a, b| a.input.path.cmp(&b.input.path));
    Ok(())
}

/// Runs what reads and writes files in a thread that may block.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Answer(format!("a thread ended: {error}")))?
}

fn kept(unpacked: Option<tempfile::TempDir>) -> Vec<Arc<tempfile::TempDir>> {
    unpacked.map(Arc::new).into_iter().collect()
}

fn find_platforms(
    files: &[ScannedFile],
    unpacked: &[Arc<tempfile::TempDir>],
    platform: Option<AnyPlatform>,
) -> Result<Vec<Found>, Error> {
    let detect_for = |platform| detect(files, unpacked, platform);
    let found = match platform {
        Some(AnyPlatform::Android) => vec![detect_for(Platform::Android)?],
        Some(AnyPlatform::Ios) => vec![detect_for(Platform::Ios)?],
        Some(AnyPlatform::Both) => vec![detect_for(Platform::Android)?, detect_for(Platform::Ios)?],
        None => match (detect_for(Platform::Android), detect_for(Platform::Ios)) {
            (Ok(android), Ok(ios)) if android.detected.layout == Layout::Expo => vec![android, ios],
            (Ok(_), Ok(_)) => {
                let text = "nothing shows what the bundle runs on; say --platform android or --platform ios";
                return Err(Error::Usage(text.to_owned()));
            }
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => vec![found],
            // That it is for the other platform says least about what is wrong with it.
            (Err(error), Err(other)) => return Err(if is_other_platform(&error) { other } else { error }.into()),
        },
    };
    Ok(found)
}

fn is_other_platform(error: &bundle::Error) -> bool {
    matches!(error, bundle::Error::Refused(bundle::Refusal::OtherPlatform { .. }))
}

fn detect(
    files: &[ScannedFile],
    unpacked: &[Arc<tempfile::TempDir>],
    platform: Platform,
) -> Result<Found, bundle::Error> {
    let inputs: Vec<_> = files.iter().map(|file| file.input.clone()).collect();
    let mut open = |path: &str, max_bytes: usize| {
        let file = files.iter().find(|file| file.input.path == path).ok_or(std::io::ErrorKind::NotFound)?;
        let mut start = Vec::new();
        File::open(&file.location)?.take(max_bytes as u64).read_to_end(&mut start)?;
        Ok(start)
    };
    let detected = bundle::detect(&inputs, platform, &mut open)?;
    let needed: BTreeSet<&str> = detected.sources.iter().map(String::as_str).collect();
    let files = files.iter().filter(|file| needed.contains(file.input.path.as_str())).cloned().collect();
    Ok(Found { platform, files, detected, _unpacked: unpacked.to_vec() })
}

/// Lists the files of a folder, of an archive, or of a bundle file with the assets beside it.
fn read(path: &Path) -> Result<(Vec<ScannedFile>, Option<tempfile::TempDir>), Error> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::file(path, source))?;
    if metadata.is_dir() {
        return Ok((bundle::scan(path)?, None));
    }
    let fail = |source| Error::file(path, source);
    let file = File::open(path).map_err(fail)?;
    let mut magic = Vec::new();
    (&file).take(MAGIC_BYTES as u64).read_to_end(&mut magic).map_err(fail)?;
    match bundle::sniff(&magic) {
        Some(format) => {
            let parent = std::env::temp_dir();
            remove_leftovers(&parent);
            let folder = tempfile::Builder::new().prefix(UNPACKED).tempdir_in(&parent);
            let folder = folder.map_err(|source| Error::file(&parent, source))?;
            bundle::read_archive(format, file, &Limits::default(), &mut |name, bytes| {
                unpack(folder.path(), name, bytes)
            })?;
            Ok((bundle::scan(folder.path())?, Some(folder)))
        }
        None => Ok((with_assets(path)?, None)),
    }
}

/// Best effort: what a killed command left behind. Another user's folders cannot be removed, and need not be.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(UNPACKED);
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
        if is_ours && age.is_some_and(|age| age > LEFTOVER_AGE) {
            // An error means that it is gone, or not ours to remove.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Names were checked before: none leads out of the folder.
fn unpack(folder: &Path, name: &str, bytes: &mut dyn std::io::Read) -> std::io::Result<()> {
    let target = folder.join(name);
    std::fs::create_dir_all(target.parent().unwrap_or(folder))?;
    std::io::copy(bytes, &mut File::create_new(target)?).map(|_| ())
}

/// Lists a bundle file with its source map and the asset folders that Metro writes beside it.
fn with_assets(path: &Path) -> Result<Vec<ScannedFile>, Error> {
    let mut files = bundle::scan(path)?;
    let map = PathBuf::from(bundle::source_map_path(&path.display().to_string()));
    if map.is_file() {
        files.append(&mut bundle::scan(&map)?);
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fail = |source| Error::file(folder, source);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let has_assets = ASSET_FOLDERS.contains(&name.as_str()) || name.starts_with(ANDROID_IMAGES);
        if has_assets && entry.path().is_dir() {
            let mut inside = bundle::scan(&entry.path())?;
            inside.iter_mut().for_each(|file| file.input.path = format!("{name}/{}", file.input.path));
            files.append(&mut inside);
        }
    }
    files.sort_by(|a, b| a.input.path.cmp(&b.input.path));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let target = folder.path().join(path);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(target, bytes).unwrap();
        }
        folder
    }

    fn look(path: &Path, platform: Option<AnyPlatform>) -> Result<Vec<Found>, Error> {
        let (files, unpacked) = read(path)?;
        find_platforms(&files, &kept(unpacked), platform)
    }

    fn paths(found: &Found) -> Vec<&str> {
        paths_of(&found.detected)
    }

    fn paths_of(detected: &Detected) -> Vec<&str> {
        detected.files.iter().map(|file| file.path.as_str()).collect()
    }

    const SCRIPT: &[u8] = b"var a=1;";

    #[test]
    fn a_bundle_file_brings_the_assets_beside_it_and_nothing_else() {
        let folder = folder(&[
            ("index.android.bundle", SCRIPT),
            ("drawable-mdpi/a.png", b"png"),
            ("raw/b.json", b"{}"),
            ("notes.txt", b"private"),
            ("node_modules/x.js", SCRIPT),
        ]);
        let found = look(&folder.path().join("index.android.bundle"), None).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].platform, Platform::Android);
        assert_eq!(paths(&found[0]), ["drawable-mdpi/a.png", "index.android.bundle", "raw/b.json"]);
    }

    #[tokio::test]
    async fn a_source_map_is_sent_when_it_lies_beside_or_is_named() {
        let folder = folder(&[
            ("a/index.android.bundle", SCRIPT),
            ("a/index.android.bundle.map", b"{}"),
            ("b/other.map", b"[]"),
        ]);
        let bundle = folder.path().join("a/index.android.bundle");
        let sent = async |map: Map| {
            let mut found = find(bundle.clone(), None, map).await.unwrap();
            let found = found.pop().unwrap();
            let map = found.files.into_iter().find(|file| file.input.path == "index.android.bundle.map");
            assert_eq!(paths_of(&found.detected), ["index.android.bundle"], "it is no file of the bundle");
            map.map(|file| file.input.size_bytes)
        };
        std::fs::write(folder.path().join("b/other.map"), "[1]").unwrap();
        assert_eq!(sent(Map::Beside).await, Some(2));
        assert_eq!(sent(Map::None).await, None);
        assert_eq!(sent(Map::File(folder.path().join("b/other.map"))).await, Some(3));
    }

    #[test]
    fn an_export_gives_a_bundle_for_each_platform() {
        let metadata = br#"{"version":0,"bundler":"metro","fileMetadata":{
            "ios":{"bundle":"_expo/i.js","assets":[{"path":"assets/a","ext":"png"}]},
            "android":{"bundle":"_expo/a.js","assets":[]}}}"#;
        let files: [(&str, &[u8]); 4] =
            [("metadata.json", metadata), ("_expo/i.js", SCRIPT), ("_expo/a.js", b"var b"), ("assets/a", b"png")];
        let folder = folder(&files);
        let both = look(folder.path(), None).unwrap();
        assert_eq!(both.iter().map(|found| found.platform).collect::<Vec<_>>(), [Platform::Android, Platform::Ios]);
        assert_eq!(paths(&both[1]), ["_expo/i.js", "assets/a"]);
        assert!(both[1].files.iter().any(|file| file.input.path == "metadata.json"));
        assert!(!both[1].files.iter().any(|file| file.input.path == "_expo/a.js"));
        assert_eq!(look(folder.path(), Some(AnyPlatform::Ios)).unwrap().len(), 1);
    }

    #[test]
    fn an_added_file_lies_beside_the_launch_file_and_replaces_an_earlier_one() {
        for root in ["", "CodePush/"] {
            let path = |name: &str| format!("{root}{name}");
            let files = [(path("main.jsbundle"), SCRIPT), (path("signature"), b"old".as_slice())];
            let files: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
            let found = look(folder(&files).path(), None).unwrap().remove(0).with_file("signature", b"new").unwrap();
            assert_eq!(paths(&found), ["main.jsbundle", "signature"]);
            let sources: Vec<_> = found.files.iter().map(|file| file.input.path.clone()).collect();
            assert_eq!(sources, [path("main.jsbundle"), path("signature")]);
            assert_eq!(std::fs::read(&found.files[1].location).unwrap(), b"new");
            assert_eq!(found.detected.files[1].sha256, Sha256::of(b"new"));
        }
    }

    #[test]
    fn a_zip_of_a_folder_is_the_same_bundle_as_the_folder() {
        let files: [(&str, &[u8]); 2] = [("CodePush/main.jsbundle", SCRIPT), ("CodePush/assets/a.png", b"png")];
        let folder = folder(&files);
        let packed = tempfile::NamedTempFile::new().unwrap();
        bundle::pack(&bundle::scan(folder.path()).unwrap(), &Default::default(), packed.as_file()).unwrap();
        let from_folder = look(folder.path(), None).unwrap();
        let from_archive = look(packed.path(), None).unwrap();
        assert_eq!(from_archive[0].content_sha256(), from_folder[0].content_sha256());
        assert_eq!(from_archive[0].platform, Platform::Ios);
    }

    #[test]
    fn only_old_folders_of_killed_commands_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * LEFTOVER_AGE;
        for (name, is_old) in [("aloft-unpacked-old", true), ("aloft-unpacked-new", false), ("other", true)] {
            let folder = parent.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            if is_old {
                File::open(&folder).unwrap().set_modified(old).unwrap();
            }
        }
        remove_leftovers(parent.path());
        let left = |name: &str| parent.path().join(name).exists();
        assert_eq!((left("aloft-unpacked-old"), left("aloft-unpacked-new"), left("other")), (false, true, true));
    }

    #[test]
    fn an_unclear_platform_must_be_said() {
        let folder = folder(&[("app.bundle", SCRIPT)]);
        assert!(matches!(look(folder.path(), None), Err(Error::Usage(_))));
        assert_eq!(look(folder.path(), Some(AnyPlatform::Android)).unwrap()[0].platform, Platform::Android);
    }

    #[test]
    fn what_is_no_bundle_is_refused_before_anything_is_sent() {
        let folder = folder(&[("index.android.bundle", b"<!DOCTYPE html>")]);
        let error = look(folder.path(), None).map(|_| ()).unwrap_err();
        assert_eq!(error.exit().code(), 8, "{error}");
        assert!(error.to_string().contains("HTML"), "{error}");
        assert_eq!(look(Path::new("/no/such/file"), None).map(|_| ()).unwrap_err().exit().code(), 2);
    }
}
