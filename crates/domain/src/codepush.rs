//! This file's job is to define what a channel has for the clients of CodePush.

use crate::bundle::{Blob, BundleFile};
use crate::error::Invalid;
use crate::hash::Sha256;
use crate::name::Platform;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bounds of keys that CodePush's servers take.
pub const DEPLOYMENT_KEY_MIN_BYTES: usize = 10;
/// See [`DEPLOYMENT_KEY_MIN_BYTES`].
pub const DEPLOYMENT_KEY_MAX_BYTES: usize = 100;
/// A channel has a key for each platform, and old ones that were imported.
pub const DEPLOYMENT_KEYS_MAX: usize = 32;
/// Diffs that lead to one release at most, because snapshots name every one: devices on other releases get the whole package.
pub const DIFFS_PER_BUNDLE_MAX: usize = 20;
/// So many of them are made ahead; there is room for those that devices ask for.
pub const DIFFS_PLANNED_MAX: usize = 5;
/// The folder that holds everything in a package. Signatures must lie directly in it.
pub const FOLDER: &str = "CodePush";
/// The file with a package's signature, in [`FOLDER`].
pub const SIGNATURE_FILE: &str = ".codepushrelease";
/// Left out of package hashes, as the clients do.
const JUNK_FILE: &str = ".DS_Store";
/// What macOS adds to zip files; left out, too.
const JUNK_FOLDER: &str = "__MACOSX/";

/// What an app says instead of naming app, channel and platform. Not a secret: it is part of every app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentKey(std::sync::Arc<str>);

impl DeploymentKey {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for DeploymentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for DeploymentKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (DEPLOYMENT_KEY_MIN_BYTES..=DEPLOYMENT_KEY_MAX_BYTES).contains(&text.len());
        // Clients keep `key:label`, so a colon must never be part of a key.
        if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Ok(Self(text.into()));
        }
        Err(Invalid::new("DeploymentKey", "must be 10 to 100 of A-Z, a-z, 0-9, '-' and '_'"))
    }
}

/// Everything about CodePush in a channel's snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodePush {
    /// The keys that stand for the channel, each with the platform that its apps run on; at most [`DEPLOYMENT_KEYS_MAX`].
    pub keys: BTreeMap<DeploymentKey, Platform>,
    /// What is sent for bundles, by content hash.
    pub packages: BTreeMap<Sha256, Package>,
    /// What is sent to those who have another package.
    pub diffs: Vec<PackageDiff>,
}

/// A bundle as one zip file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What the clients compute of the files; see [`package_hash`].
    pub hash: Sha256,
    /// The zip file.
    pub blob: Arc<Blob>,
}

/// A zip file with what differs between two packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageDiff {
    /// The hash of the package that a device has.
    pub from: Sha256,
    /// Content hash of the bundle that it gets.
    pub to: Sha256,
    /// The zip file.
    pub blob: Arc<Blob>,
}

/// Returns the path of a bundle's file in packages.
#[must_use]
pub fn package_path(path: &str) -> String {
    format!("{FOLDER}/{path}")
}

/// Returns the hash that clients compute of a bundle's package, see [`folder_hash`].
#[must_use]
pub fn package_hash(files: &[BundleFile]) -> Sha256 {
    folder_hash(files.iter().map(|file| (package_path(&file.path), file.sha256)))
}

/// Returns the hash that clients compute of a package's folder: SHA-256 of a compact JSON array with `path:sha256-hex` of every file,
/// sorted by UTF-16. Signatures and what macOS leaves behind do not count.
#[must_use]
pub fn folder_hash(files: impl IntoIterator<Item = (String, Sha256)>) -> Sha256 {
    let counts = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name != JUNK_FILE && name != SIGNATURE_FILE && !path.starts_with(JUNK_FOLDER)
    };
    let counted = files.into_iter().filter(|(path, _)| counts(path));
    let mut entries: Vec<String> = counted.map(|(path, sha256)| format!("{path}:{sha256}")).collect();
    // The whole entry, not the path: `main.jsbundle.meta:` comes before `main.jsbundle:`.
    entries.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    let quoted: Vec<String> = entries.iter().map(|entry| quote(entry)).collect();
    Sha256::of(format!("[{}]", quoted.join(",")).as_bytes())
}

/// Makes the short name that an app or a deployment of a CodePush server has here: in lower case, with `-` for what short names do not have.
#[must_use]
pub fn short_name(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' };
    let plain: String = name.chars().map(|letter| plain(letter.to_ascii_lowercase())).collect();
    plain.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_owned()
}

/// Returns the platform that an app's name ends with, as CodePush's documentation advises.
#[must_use]
pub fn platform_of_name(name: &str) -> Option<Platform> {
    let name = name.to_ascii_lowercase();
    Platform::ALL.iter().copied().find(|platform| name.ends_with(platform.as_str()))
}

/// Paths of bundles have neither backslashes nor control characters, so a quotation mark is all that JSON escapes.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::FileRole;

    fn file(path: &str, bytes: &[u8]) -> BundleFile {
        let (sha256, size_bytes) = (Sha256::of(bytes), bytes.len() as u64);
        BundleFile { path: path.into(), sha256, size_bytes, role: FileRole::Asset }
    }

    #[test]
    fn keys_are_those_that_codepush_takes() {
        for good in ["0123456789", "aZ-_aZ-_aZ", &"k".repeat(100)] {
            assert!(good.parse::<DeploymentKey>().is_ok(), "{good}");
        }
        for bad in ["", "012345678", "0123456789:", "0123 456789", "ключключключ", &"k".repeat(101)] {
            assert!(bad.parse::<DeploymentKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_become_short_names_and_say_the_platform() {
        for (name, expected) in [("Trailhead-iOS", "trailhead-ios"), ("Acme/Trail head", "acme-trail-head"), ("é", "")]
        {
            assert_eq!(short_name(name), expected, "{name}");
        }
        assert_eq!(platform_of_name("Trailhead-iOS"), Some(Platform::Ios));
        assert_eq!(platform_of_name("trailhead_android"), Some(Platform::Android));
        assert_eq!(platform_of_name("ios-of-trailhead"), None);
    }

    #[test]
    fn signatures_junk_and_order_do_not_change_the_hash() {
        let files = [file("main.jsbundle", b"bundle"), file("main.jsbundle.meta", b"meta"), file("a\"b", b"x")];
        let mut more = files.to_vec();
        more.reverse();
        more.extend([file(".codepushrelease", b"jwt"), file("assets/.DS_Store", b"x")]);
        assert_eq!(package_hash(&files), package_hash(&more));
        assert_ne!(package_hash(&files), package_hash(&files[..2]));
        let expected: Vec<String> = ["CodePush/a\"b", "CodePush/main.jsbundle.meta", "CodePush/main.jsbundle"]
            .iter()
            .zip([b"x".as_slice(), b"meta", b"bundle"])
            .map(|(path, bytes)| format!("{path}:{}", Sha256::of(bytes)))
            .collect();
        let json = serde_json::to_string(&expected).unwrap();
        assert_eq!(package_hash(&files), Sha256::of(json.as_bytes()));
    }
}
