//! This file's job is to recognise what people upload, and to make the files of a bundle of it.

use crate::error::{Error, Refusal};
use crate::expo;
use crate::launch;
use crate::names::Names;
use domain::bundle::{BUNDLE_FILES_MAX, BundleFile, Engine, FileRole};
use domain::warning::{Warning, WarningKind};
use domain::{Platform, Sha256};
use std::collections::BTreeMap;
use std::io;

/// A file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Relative path with `/` between its parts.
    pub path: String,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// Reads the beginning of a file, given its path and the largest number of bytes to return.
pub type Open<'a> = dyn FnMut(&str, usize) -> io::Result<Vec<u8>> + 'a;

/// How the files were laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A launch file, with its assets beside it; perhaps in one folder, as CodePush packs it.
    Folder,
    /// What `expo export` writes.
    Expo,
}

/// What an upload holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// How the files were laid out.
    pub layout: Layout,
    /// What the launch file holds.
    pub engine: Engine,
    /// Version of the bytecode, for Hermes.
    pub hermes_version: Option<u32>,
    /// Path of the launch file, as in `files`.
    pub launch_path: String,
    /// The path that the launch file was found under.
    pub launch_source: String,
    /// The files of the bundle, sorted by path; a folder around all of them is dropped from their paths.
    pub files: Vec<BundleFile>,
    /// The paths, as they were found, of all files that detecting the same again needs.
    pub sources: Vec<String>,
    /// The source map of the launch file, by the path that it was found under: the launch file's own with `.map` behind it. Private:
    /// it is no file of the bundle, and not among `sources`.
    pub source_map: Option<String>,
    /// The asset map of an Expo export, by the path that it was found under. It is no file of the bundle either.
    pub asset_map: Option<String>,
    /// The extensions that the paths of an Expo export's assets lack, by path.
    pub extensions: BTreeMap<String, String>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What is allowed, but perhaps not meant.
    pub warnings: Vec<Warning>,
}

/// A file that is not part of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path, as it was found.
    pub path: String,
    /// Why it is left out.
    pub reason: SkipReason,
}

/// Why a file is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// An operating system left it there.
    Junk,
    /// A source map: private, never sent to devices.
    SourceMap,
    /// The export does not name it for this platform.
    NotNamed,
}

/// Finds out what the files are. `open` is called for the launch file and for `metadata.json` only.
///
/// # Errors
/// [`Error::Refused`] when they are no bundle for the platform; [`Error::Sink`] when `open` fails.
pub fn detect(inputs: &[Input], platform: Platform, open: &mut Open<'_>) -> Result<Detected, Error> {
    let mut names = Names::default();
    for input in inputs {
        names.add(&input.path)?;
    }
    let (mut kept, mut skipped) = (Vec::new(), Vec::new());
    for input in inputs {
        match skip_reason(&input.path) {
            Some(reason) => skipped.push(Skipped { path: input.path.clone(), reason }),
            None => kept.push(input),
        }
    }
    let expo = find_expo(&kept, platform, open)?;
    let mut detected = match expo {
        Some((metadata, files)) => from_expo(&kept, metadata, &files, &mut skipped)?,
        None => from_folder(&kept, platform)?,
    };
    if detected.files.len() > BUNDLE_FILES_MAX {
        return Err(Refusal::TooMany { max: BUNDLE_FILES_MAX }.into());
    }
    detected.files.sort_by(|a, b| a.path.cmp(&b.path));
    let source = detected.launch_source;
    let size_bytes = kept.iter().find(|input| input.path == source).map_or(0, |input| input.size_bytes);
    let mut content = launch::inspect(&source, size_bytes, open)?;
    if detected.layout == Layout::Folder {
        content.warnings.extend(foreign_assets(&detected.files, platform));
    }
    let source_map = source_map_path(&source);
    let source_map = inputs.iter().any(|input| input.path == source_map).then_some(source_map);
    Ok(Detected {
        source_map,
        asset_map: detected.asset_map,
        extensions: detected.extensions,
        layout: detected.layout,
        engine: content.engine,
        hermes_version: content.hermes_version,
        launch_path: detected.launch_path,
        launch_source: source,
        files: detected.files,
        sources: detected.sources,
        skipped,
        warnings: content.warnings,
    })
}

/// The files of a bundle before its launch file was looked into.
struct Chosen {
    layout: Layout,
    launch_source: String,
    launch_path: String,
    files: Vec<BundleFile>,
    sources: Vec<String>,
    asset_map: Option<String>,
    extensions: BTreeMap<String, String>,
}

/// Returns the path that the source map of a launch file has in an upload.
#[must_use]
pub fn source_map_path(launch_source: &str) -> String {
    format!("{launch_source}.map")
}

fn skip_reason(path: &str) -> Option<SkipReason> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_junk = matches!(name, ".DS_Store" | "Thumbs.db" | "desktop.ini")
        || name.starts_with("._")
        || path.split('/').any(|part| part == "__MACOSX");
    if is_junk {
        return Some(SkipReason::Junk);
    }
    path.ends_with(".map").then_some(SkipReason::SourceMap)
}

/// Returns the path of Expo's `metadata.json`, in the top folder or one below it, and the platform's files.
fn find_expo(
    kept: &[&Input],
    platform: Platform,
    open: &mut Open<'_>,
) -> Result<Option<(String, expo::PlatformFiles)>, Error> {
    let is_metadata = |path: &str| path.rsplit('/').next() == Some(expo::METADATA) && path.matches('/').count() <= 1;
    for input in kept.iter().filter(|input| is_metadata(&input.path)) {
        if input.size_bytes > expo::METADATA_MAX_BYTES as u64 {
            continue;
        }
        let text = open(&input.path, expo::METADATA_MAX_BYTES).map_err(Error::Sink)?;
        if let Some(files) = expo::parse(&input.path, &text, platform)? {
            return Ok(Some((input.path.clone(), files)));
        }
    }
    Ok(None)
}

fn from_expo(
    kept: &[&Input],
    metadata: String,
    named: &expo::PlatformFiles,
    skipped: &mut Vec<Skipped>,
) -> Result<Chosen, Refusal> {
    let root = metadata.strip_suffix(expo::METADATA).unwrap_or_default();
    let by_path: BTreeMap<&str, &Input> =
        kept.iter().filter_map(|input| Some((input.path.strip_prefix(root)?, *input))).collect();
    let asset_map = by_path.get(expo::ASSET_MAP).map(|input| input.path.clone());
    let mut chosen: BTreeMap<&str, BundleFile> = BTreeMap::new();
    let assets = named.assets.iter().map(|asset| (asset.path.as_str(), FileRole::Asset));
    for (path, role) in std::iter::once((named.bundle.as_str(), FileRole::Launch)).chain(assets) {
        let missing = || Refusal::Missing { entry: path.to_owned(), by: metadata.clone() };
        let input = by_path.get(path).ok_or_else(missing)?;
        chosen.entry(path).or_insert_with(|| file(input, path, role));
    }
    for input in kept.iter().filter(|input| input.path != metadata && Some(&input.path) != asset_map.as_ref()) {
        if !input.path.strip_prefix(root).is_some_and(|path| chosen.contains_key(path)) {
            skipped.push(Skipped { path: input.path.clone(), reason: SkipReason::NotNamed });
        }
    }
    let mut sources: Vec<String> = chosen.keys().map(|path| format!("{root}{path}")).collect();
    let launch_source = format!("{root}{}", named.bundle);
    let extensions = named.assets.iter().map(|asset| (asset.path.clone(), asset.ext.clone())).collect();
    let files = chosen.into_values().collect();
    sources.push(metadata.clone());
    sources.extend(asset_map.clone());
    let launch_path = named.bundle.clone();
    Ok(Chosen { layout: Layout::Expo, launch_source, launch_path, files, sources, asset_map, extensions })
}

fn from_folder(kept: &[&Input], platform: Platform) -> Result<Chosen, Refusal> {
    let paths: Vec<&str> = kept.iter().map(|input| input.path.as_str()).collect();
    let launch = launch::find(&paths, platform)?;
    let root = launch.rfind('/').map_or("", |slash| &launch[..=slash]);
    let mut files = Vec::new();
    for input in kept {
        let Some(path) = input.path.strip_prefix(root) else {
            let why = format!("it lies outside of {root}, the folder of the launch file");
            return Err(Refusal::Content { entry: input.path.clone(), why });
        };
        check_asset_folder(path, platform)?;
        files.push(file(input, path, if input.path == launch { FileRole::Launch } else { FileRole::Asset }));
    }
    Ok(Chosen {
        layout: Layout::Folder,
        launch_source: launch.to_owned(),
        launch_path: launch[root.len()..].to_owned(),
        files,
        sources: paths.iter().map(|&path| path.to_owned()).collect(),
        asset_map: None,
        extensions: BTreeMap::new(),
    })
}

/// Metro writes assets for Android to `drawable-*` folders, which nothing on iOS would find.
fn check_asset_folder(path: &str, platform: Platform) -> Result<(), Refusal> {
    if platform == Platform::Ios && path.starts_with("drawable-") && path.contains('/') {
        return Err(Refusal::OtherPlatform { entry: path.to_owned(), found: Platform::Android, wanted: platform });
    }
    Ok(())
}

/// On iOS Metro keeps the project's folders below `assets`; on Android nothing would find images there.
fn foreign_assets(files: &[BundleFile], platform: Platform) -> Option<Warning> {
    let is_image = |path: &str| [".png", ".jpg", ".jpeg", ".webp", ".gif"].iter().any(|end| path.ends_with(end));
    let has_drawables = files.iter().any(|file| file.path.starts_with("drawable-"));
    let foreign = files.iter().find(|file| file.path.starts_with("assets/") && is_image(&file.path));
    let foreign = foreign.filter(|_| platform == Platform::Android && !has_drawables)?;
    let message = format!("{:?} lies where only iOS looks for images; the bundle is for {platform}", foreign.path);
    Some(Warning { kind: WarningKind::WrongPlatform, message })
}

fn file(input: &Input, path: &str, role: FileRole) -> BundleFile {
    BundleFile { path: path.to_owned(), sha256: input.sha256, size_bytes: input.size_bytes, role }
}
