//! This file's job is to bring the launch file here that devices will most likely have: that of the newest live release, else the embedded one.

use crate::connection::Connection;
use crate::error::Error;
use crate::hermesc::Base;
use domain::{Platform, Sha256};
use proto::v1;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Releases and binaries that are looked through.
const PAGE: i32 = 100;
/// Larger launch files are no bases, as they get no patches.
const FILE_MAX_BYTES: u64 = delta::INPUT_MAX_BYTES as u64;

/// Finds the base of a new release for the platform, and brings it here; none when there is nothing of the kind yet.
///
/// # Errors
/// When the server refuses, or the file cannot be kept.
pub async fn fetch(
    connection: &Connection,
    channel: &str,
    app: &str,
    platform: Platform,
) -> Result<Option<Base>, Error> {
    let (bundle, what) = match newest_release(connection, channel, platform).await? {
        Some(found) => found,
        None => match embedded(connection, app, platform).await? {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    let request = v1::GetBundleRequest { name: bundle.clone() };
    let answer = connection.answer(connection.bundles().get_bundle(request).await)?;
    let files = answer.bundle.unwrap_or_default().files;
    let launch = files.into_iter().find(|file| file.role == v1::FileRole::Launch as i32);
    let launch = launch.ok_or_else(|| Error::missing("the launch file"))?;
    if launch.size_bytes > FILE_MAX_BYTES {
        return Ok(None);
    }
    let file = kept(connection, &bundle, &launch).await?;
    Ok(Some(Base { file, what, build: answer.build }))
}

/// Returns the bundle of the channel's newest release that devices are offered.
async fn newest_release(
    connection: &Connection,
    channel: &str,
    platform: Platform,
) -> Result<Option<(String, String)>, Error> {
    let request = v1::ListReleasesRequest { parent: channel.to_owned(), page_size: PAGE, ..Default::default() };
    let listed = connection.answer(connection.releases().list_releases(request).await)?.releases;
    let platform = i32::from(proto::convert::platform_to_wire(platform));
    let live = |release: &v1::Release| release.enabled && release.platform == platform && !release.bundle.is_empty();
    Ok(listed.into_iter().find(live).map(|release| (release.bundle, release.label)))
}

/// Returns the bundle that the newest binary came with, if it was uploaded.
async fn embedded(connection: &Connection, app: &str, platform: Platform) -> Result<Option<(String, String)>, Error> {
    let request = v1::ListBinariesRequest { parent: app.to_owned(), page_size: PAGE, ..Default::default() };
    let binaries = connection.answer(connection.binaries().list_binaries(request).await)?.binaries;
    let platform = i32::from(proto::convert::platform_to_wire(platform));
    let hashes =
        binaries.into_iter().rev().filter(|binary| binary.platform == platform && !binary.embedded_bundle.is_empty());
    let request = v1::ListBundlesRequest { parent: app.to_owned(), page_size: PAGE, ..Default::default() };
    let bundles = connection.answer(connection.bundles().list_bundles(request).await)?.bundles;
    for binary in hashes {
        let same =
            |bundle: &&v1::Bundle| bundle.content_sha256 == binary.embedded_bundle && bundle.platform == platform;
        if let Some(bundle) = bundles.iter().find(same) {
            return Ok(Some((bundle.name.clone(), format!("the bundle of binary {}", binary.version))));
        }
    }
    Ok(None)
}

/// Returns where the file lies on this machine, and brings it there before if need be.
async fn kept(connection: &Connection, bundle: &str, launch: &v1::BundleFile) -> Result<PathBuf, Error> {
    let sha256 = Sha256::try_from(&launch.sha256[..]).map_err(|_| Error::missing("the hash of the launch file"))?;
    let folder = cache_folder();
    let file = folder.join(sha256.to_hex());
    if std::fs::read(&file).is_ok_and(|bytes| Sha256::of(&bytes) == sha256) {
        return Ok(file);
    }
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < launch.size_bytes {
        let (name, path) = (bundle.to_owned(), launch.path.clone());
        let request = v1::ReadBundleFileRequest { name, path, offset_bytes: bytes.len() as u64 };
        let piece = connection.answer(connection.bundles().read_bundle_file(request).await)?.data;
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    if Sha256::of(&bytes) != sha256 {
        return Err(Error::Answer(format!("the bytes of {} have another hash than the server says", launch.path)));
    }
    keep(&folder, &file, &bytes).map_err(|source| Error::file(&file, source))?;
    Ok(file)
}

fn keep(folder: &Path, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut whole = tempfile::NamedTempFile::new_in(folder)?;
    whole.write_all(bytes)?;
    whole.persist(file)?;
    Ok(())
}

/// `$XDG_CACHE_HOME/aloft/bases`, or `~/.cache/aloft/bases`.
fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    folder.unwrap_or_else(std::env::temp_dir).join("aloft/bases")
}
