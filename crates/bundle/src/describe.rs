//! This file's job is to look into the files of a bundle: modules, bytecode tables, sizes of images.

use crate::contents::{Asset, Contents, Module};
use crate::detect::Detected;
use crate::error::Error;
use crate::limits::{ASSET_MAP_MAX_BYTES, IMAGE_START_MAX_BYTES};
use crate::metro::{self, Placed};
use crate::source_map::{SOURCE_MAP_MAX_BYTES, SourceMap};
use crate::{expo, hermes};
use domain::bundle::{BundleFile, Engine, FileRole};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, BufReader, Read, Seek};

/// A file's bytes.
pub trait Bytes: Read + Seek + Send {}
impl<T: Read + Seek + Send> Bytes for T {}

/// Where [`describe`] gets the bytes of a bundle's file from, given its path in the bundle or that of a source in the upload; none
/// when they are not at hand, so that nothing is said of it.
pub type OpenWhole<'a> = dyn FnMut(Of<'_>) -> io::Result<Option<Box<dyn Bytes>>> + 'a;

/// A file that [`describe`] wants to look into.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// A file of the bundle.
    File(&'a BundleFile),
    /// Another file of the upload, by the path that it was found under.
    Other(&'a str),
}

/// Looks into the files of the bundle. What cannot be told is left out: only bytecode that lies about itself is refused.
///
/// # Errors
/// [`Error::Refused`] when the bytecode's tables are broken; [`Error::Sink`] when `open` or reading fails.
pub fn describe(detected: &Detected, open: &mut OpenWhole<'_>) -> Result<Contents, Error> {
    let mut contents = Contents::default();
    let launch = detected.files.iter().find(|file| file.role == FileRole::Launch);
    let bytes = match launch {
        Some(file) => open(Of::File(file)).map_err(Error::Sink)?,
        None => None,
    };
    let map = read_source_map(detected, open)?;
    if let Some(mut bytes) = bytes {
        match detected.engine {
            Engine::Hermes => {
                let path = &detected.launch_path;
                contents.hermes = hermes::read_hermes(path, &mut BufReader::new(&mut bytes)).map_err(Error::Sink)??;
                contents.modules = map.map(|map| modules_by_code(&map)).unwrap_or_default();
            }
            Engine::JavaScript => contents.modules = read_javascript(&mut BufReader::new(bytes), map.as_ref())?,
        }
    }
    contents.assets = describe_assets(detected, open)?;
    Ok(contents)
}

fn read_whole(of: Of<'_>, max_bytes: usize, open: &mut OpenWhole<'_>) -> Result<Option<Vec<u8>>, Error> {
    let Some(bytes) = open(of).map_err(Error::Sink)? else { return Ok(None) };
    let mut text = Vec::new();
    bytes.take(max_bytes as u64 + 1).read_to_end(&mut text).map_err(Error::Sink)?;
    Ok((text.len() <= max_bytes).then_some(text))
}

fn read_source_map(detected: &Detected, open: &mut OpenWhole<'_>) -> Result<Option<SourceMap>, Error> {
    let Some(path) = &detected.source_map else { return Ok(None) };
    let text = read_whole(Of::Other(path), SOURCE_MAP_MAX_BYTES, open)?;
    Ok(text.and_then(|text| SourceMap::parse(&text)))
}

fn read_javascript(bytes: &mut impl BufRead, map: Option<&SourceMap>) -> Result<Vec<Module>, Error> {
    let mut placed = metro::read_modules(bytes).map_err(Error::Sink)?.unwrap_or_default();
    if let Some(map) = map {
        name_by_line(&mut placed, map);
    }
    Ok(placed.into_iter().map(|placed| placed.module).collect())
}

/// A module has lines of its own: the first source on them is its own.
fn name_by_line(modules: &mut [Placed], map: &SourceMap) {
    let mut by_line: BTreeMap<u32, usize> = BTreeMap::new();
    for span in &map.spans {
        by_line.entry(span.line).or_insert(span.source);
    }
    for placed in modules {
        if let Some((_, &source)) = by_line.range(placed.lines.clone()).next() {
            placed.module.path = Some(map.sources[source].path.clone());
        }
    }
}

/// A map of bytecode has one line, its columns count the code of all functions one after the other: what lies between two places
/// comes from the first one's source.
fn modules_by_code(map: &SourceMap) -> Vec<Module> {
    let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
    let ends = map.spans.iter().skip(1).map(|span| span.column).chain([map.end_column]);
    for (span, end) in map.spans.iter().zip(ends) {
        *sizes.entry(span.source).or_default() += u64::try_from(end.saturating_sub(span.column)).unwrap_or(0);
    }
    let module = |(source, size_bytes): (usize, u64)| Module {
        id: None,
        path: Some(map.sources[source].path.clone()),
        offset: None,
        size_bytes,
        content: map.sources[source].content,
        dependencies: Vec::new(),
    };
    sizes.into_iter().map(module).collect()
}

fn describe_assets(detected: &Detected, open: &mut OpenWhole<'_>) -> Result<Vec<Asset>, Error> {
    let mut names = match &detected.asset_map {
        Some(path) => read_whole(Of::Other(path), ASSET_MAP_MAX_BYTES, open)?.map(|text| expo::asset_names(&text)),
        None => None,
    }
    .unwrap_or_default();
    // The same picture often lies at several places.
    let mut known = HashMap::new();
    let mut assets = Vec::new();
    for file in detected.files.iter().filter(|file| file.role == FileRole::Asset) {
        let pixels = match known.get(&file.sha256) {
            Some(&pixels) => pixels,
            None => *known.entry(file.sha256).or_insert(measure(file, open)?),
        };
        let name = names.remove(file.path.rsplit('/').next().unwrap_or_default());
        if name.is_some() || pixels.is_some() {
            assets.push(Asset { path: file.path.clone(), name, pixels });
        }
    }
    Ok(assets)
}

/// Returns width and height of a PNG, JPEG, GIF or WebP image.
fn measure(file: &BundleFile, open: &mut OpenWhole<'_>) -> Result<Option<(u32, u32)>, Error> {
    let Some(bytes) = open(Of::File(file)).map_err(Error::Sink)? else { return Ok(None) };
    let mut start = Vec::new();
    bytes.take(IMAGE_START_MAX_BYTES).read_to_end(&mut start).map_err(Error::Sink)?;
    let size = imagesize::blob_size(&start).ok();
    Ok(size.and_then(|size| Some((size.width.try_into().ok()?, size.height.try_into().ok()?))))
}
