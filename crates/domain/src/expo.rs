//! This file's job is to define what Expo clients are told of releases, frozen when each was published.

mod client_headers;

pub use client_headers::{AssetRequestHeaders, ServerDefinedHeaders};

use crate::calendar::Moment;
use crate::error::Invalid;
use crate::hash::Sha256;
use crate::id::ReleaseId;
use crate::snapshot::ChannelKey;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Room for 5,000 assets of 350 bytes and the app's configuration.
pub const BODY_MAX_BYTES: usize = 2 << 20;
/// A signature of a 4096-bit key takes 700 bytes with its names.
pub const SIGNATURE_MAX_BYTES: usize = 1_024;
/// Four certificates; real chains have two.
pub const CERTIFICATE_CHAIN_MAX_BYTES: usize = 16 << 10;
/// Embedded updates that an edge knows the content of: as many as there are binaries with devices.
pub const EMBEDDED_MAX: usize = 500;

/// The id under which Expo clients know an update: a UUID, in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpdateId(u128);

impl UpdateId {
    /// Returns the 128 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Returns the release that the update was made of, if it was made of one.
    #[must_use]
    pub fn release(self) -> ReleaseId {
        ReleaseId::from_bits(self.0)
    }
}

/// A release and its update have the same bits, so that nothing has to be kept to find one by the other.
impl From<&ReleaseId> for UpdateId {
    fn from(release: &ReleaseId) -> Self {
        Self(release.bits())
    }
}

impl std::str::FromStr for UpdateId {
    type Err = Invalid;

    /// Accepts either case: iOS writes its ids in upper case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: Invalid = Invalid::new("UpdateId", "must be a UUID");
        const DASHES: [usize; 4] = [8, 13, 18, 23];
        if text.len() != 36 {
            return Err(RULE);
        }
        let mut bits = 0;
        for (index, byte) in text.bytes().enumerate() {
            match char::from(byte).to_digit(16) {
                Some(digit) if !DASHES.contains(&index) => bits = bits << 4 | u128::from(digit),
                None if byte == b'-' && DASHES.contains(&index) => {}
                Some(_) | None => return Err(RULE),
            }
        }
        Ok(Self(bits))
    }
}

impl std::fmt::Display for UpdateId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl std::fmt::Debug for UpdateId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UpdateId({self})")
    }
}

/// What Expo clients are told of a release: a manifest when it brings a bundle, else a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpoUpdate {
    /// The time in its body, in milliseconds since 1970: no two updates of an app have the same.
    pub committed_at_ms: u64,
    /// The JSON text; what is signed is these bytes. At most [`BODY_MAX_BYTES`].
    pub body: String,
    /// The value of the header `expo-signature`; empty when the update is not signed.
    pub signature: String,
    /// The certificates between the signature and the app's own, in PEM, leaf first; empty when the app's own made it.
    pub certificate_chain: String,
}

/// What Expo clients are told of a channel's releases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpoChannel {
    /// The updates of releases that can be offered.
    pub updates: BTreeMap<ReleaseId, ExpoUpdate>,
    /// Content hashes of the bundles that came with binaries; at most [`EMBEDDED_MAX`].
    pub embedded: BTreeMap<UpdateId, Sha256>,
    /// What clients are to keep, and send with later checks; none when they are told nothing.
    pub server_defined_headers: Option<ServerDefinedHeaders>,
    /// What clients are to send when they fetch assets.
    pub asset_request_headers: AssetRequestHeaders,
}

/// Where edges serve everything for Expo clients.
pub const PATH: &str = "/v1/expo/";
/// The part of paths where apps stand otherwise, below which assets are.
pub const ASSETS: &str = "assets";

/// Returns the path of a launch file. It names a channel, because that knows the patches that lead to the file; the file itself is found
/// by its hash.
#[must_use]
pub fn launch_path(channel: &ChannelKey, sha256: &Sha256) -> String {
    format!("{PATH}{}/{}/{sha256}.{LAUNCH_EXTENSION}", channel.app, channel.channel)
}

/// Returns the path of an asset.
#[must_use]
pub fn asset_path(sha256: &Sha256, extension: &str) -> String {
    format!("{PATH}{ASSETS}/{sha256}.{extension}")
}

/// Writes a time as clients read it: exactly three digits of milliseconds, and `Z`. They misread anything else.
#[must_use]
pub fn date_text(ms: u64) -> String {
    let us = i64::try_from(ms).ok().and_then(|ms| ms.checked_mul(1_000)).unwrap_or(i64::MAX);
    Moment::of(Timestamp::from_us(us)).to_string()
}

/// Files that apps bring beside their launch file, by the ends of their names.
const CONTENT_TYPES: [(&str, &str); 26] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("heic", "image/heic"),
    ("bmp", "image/bmp"),
    ("svg", "image/svg+xml"),
    ("ico", "image/vnd.microsoft.icon"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("json", "application/json"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("xml", "text/xml"),
    (LAUNCH_EXTENSION, LAUNCH_CONTENT_TYPE),
];

/// The extension of launch files: iOS uses it whatever the manifest says.
pub const LAUNCH_EXTENSION: &str = "bundle";
/// What clients expect of launch files, also of bytecode.
pub const LAUNCH_CONTENT_TYPE: &str = "application/javascript";

/// Returns the content type of files with this extension (in lower case, without a dot).
#[must_use]
pub fn content_type(extension: &str) -> &'static str {
    let known = CONTENT_TYPES.iter().find(|(known, _)| *known == extension);
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_id_is_the_release_in_the_form_of_a_uuid() {
        let release = ReleaseId::from_bits(0x0192_f0a1_b2c3_d4e5_f607_1829_3a4b_5c6d);
        let id = UpdateId::from(&release);
        assert_eq!(id.to_string(), "0192f0a1-b2c3-d4e5-f607-18293a4b5c6d");
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(id.release(), release);
        for bad in [
            "",
            "0192f0a1b2c3d4e5f60718293a4b5c6d",
            "0192f0a1-b2c3-d4e5-f607-18293a4b5c6",
            "0192f0a1-b2c3-d4e5-f607-18293a4b5c6g",
            "0192f0a1-b2c3-d4e5-f60718-293a4b5c6d",
            "0192f0a1-b2c3-d4e5-f607-18293a4b5cé",
        ] {
            assert!(bad.parse::<UpdateId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_have_three_digits_and_a_capital_z() {
        assert_eq!(date_text(0), "1970-01-01T00:00:00.000Z");
        // python3 -c "import datetime;print(datetime.datetime.fromtimestamp(1709251199.007,datetime.UTC).isoformat())"
        assert_eq!(date_text(1_709_251_199_007), "2024-02-29T23:59:59.007Z");
        assert_eq!(date_text(1_796_083_200_999), "2026-12-01T00:00:00.999Z");
    }

    #[test]
    fn what_is_not_known_is_bytes() {
        assert_eq!(content_type("png"), "image/png");
        assert_eq!(content_type("html"), "application/octet-stream");
    }
}
