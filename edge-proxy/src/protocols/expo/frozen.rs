//! This file's job is to frame what was frozen at publish, once for all answers.
//!
//! The framing is strict because the reader on iOS is: line ends of two bytes everywhere, also behind the last delimiter, and names of
//! headers in lower case.

use bytes::Bytes;
use domain::Sha256;
use domain::expo::{AssetRequestHeaders, ExpoChannel, ExpoUpdate, UpdateId, date_text};
use domain::id::ReleaseId;
use domain::release::{Content, Release};
use http::HeaderValue;
use litemap::LiteMap;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Says that nothing is new. Not signed: who expects a signature is told so with an empty answer.
const NO_UPDATE: &str = r#"{"type":"noUpdateAvailable"}"#;

/// One update in all its forms.
#[derive(Debug)]
pub(crate) struct Frozen {
    /// The bytes that are signed.
    pub(super) body: Bytes,
    /// The header with the signature; none when it is not signed.
    pub(super) signature: Option<HeaderValue>,
    /// SHA-256 of the body without its id and its time: what two updates have in common that differ in nothing.
    pub(super) substance: Sha256,
    /// Without and with the signature.
    pub(super) plain: Multipart,
    pub(super) signed: Multipart,
}

/// A body of `multipart/mixed` with its content type.
#[derive(Debug, Clone)]
pub(crate) struct Multipart {
    pub(super) content_type: HeaderValue,
    pub(super) body: Bytes,
}

impl Frozen {
    fn new(release: &ReleaseId, update: &ExpoUpdate, (name, of_assets): (&str, &AssetRequestHeaders)) -> Option<Self> {
        let signature = Some(&update.signature).filter(|signature| !signature.is_empty());
        let extensions = extensions(&update.body, of_assets);
        let extensions = extensions.as_deref().map(|text| ("extensions", "application/json", text));
        let plain = Multipart::new((name, &update.body), None, extensions.as_slice())?;
        let signed = match signature {
            Some(signature) => {
                let chain = Some(update.certificate_chain.as_str()).filter(|chain| !chain.is_empty());
                let chain = chain.map(|text| ("certificate_chain", "application/x-pem-file", text));
                let more: Vec<Part<'_>> = chain.into_iter().chain(extensions).collect();
                Multipart::new((name, &update.body), Some(signature), &more)?
            }
            None => plain.clone(),
        };
        Some(Self {
            body: Bytes::from(update.body.clone()),
            signature: signature.and_then(|signature| HeaderValue::from_str(signature).ok()),
            substance: substance(release, update),
            plain,
            signed,
        })
    }

    pub(super) const fn is_signed(&self) -> bool {
        self.signature.is_some()
    }
}

fn substance(release: &ReleaseId, update: &ExpoUpdate) -> Sha256 {
    let own = [UpdateId::from(release).to_string(), date_text(update.committed_at_ms)];
    let rest = own.iter().fold(update.body.clone(), |body, own| body.replacen(own, "", 1));
    Sha256::of(rest.as_bytes())
}

/// Writes what is to be sent with requests for the files of a manifest; none when nothing is. It is not signed.
fn extensions(body: &str, of_assets: &AssetRequestHeaders) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Files<'a> {
        #[serde(borrow)]
        launch_asset: File<'a>,
        assets: Vec<File<'a>>,
    }
    #[derive(Deserialize)]
    struct File<'a> {
        key: &'a str,
    }
    if of_assets.headers().is_empty() {
        return None;
    }
    let Files { launch_asset, assets } = serde_json::from_str(body).ok()?;
    let keys = std::iter::once(&launch_asset).chain(&assets).map(|file| file.key);
    let by_key: BTreeMap<_, _> = keys.map(|key| (key, of_assets.headers())).collect();
    serde_json::to_string(&BTreeMap::from([("assetRequestHeaders", by_key)])).ok()
}

/// The name, the content type and the body of a part without a signature.
type Part<'a> = (&'a str, &'a str, &'a str);

impl Multipart {
    /// Frames the directive that says that nothing is new.
    pub(crate) fn no_update() -> Option<Self> {
        Self::new(("directive", NO_UPDATE), None, &[])
    }

    fn new((name, body): (&str, &str), signature: Option<&str>, more: &[Part<'_>]) -> Option<Self> {
        let bodies: String = std::iter::once(body).chain(more.iter().map(|(_, _, body)| *body)).collect();
        // Nobody can write a text that holds a part of its own hash.
        let boundary = format!("aloft-{}", &Sha256::of(bodies.as_bytes()).to_hex()[..24]);
        let mut text = String::with_capacity(bodies.len() + 1_024);
        let header = signature.map(|signature| format!("expo-signature: {signature}\r\n")).unwrap_or_default();
        part(&mut text, &boundary, name, &format!("content-type: application/json\r\n{header}"), body);
        for (name, content_type, body) in more {
            part(&mut text, &boundary, name, &format!("content-type: {content_type}\r\n"), body);
        }
        text.push_str(&format!("--{boundary}--\r\n"));
        let content_type = HeaderValue::from_str(&format!("multipart/mixed; boundary={boundary}")).ok()?;
        Some(Self { content_type, body: text.into() })
    }
}

fn part(text: &mut String, boundary: &str, name: &str, headers: &str, body: &str) {
    text.push_str(&format!("--{boundary}\r\ncontent-disposition: inline; name=\"{name}\"\r\n{headers}\r\n{body}\r\n"));
}

/// What the Expo clients of a channel can be told.
pub(crate) struct Frames {
    updates: LiteMap<ReleaseId, Arc<Frozen>>,
    /// Where the releases stand in the snapshot, sorted by their ids.
    places: Box<[usize]>,
    /// What clients are to send with later checks; none when they are told nothing.
    pub(super) server_defined_headers: Option<Box<HeaderValue>>,
}

impl Frames {
    /// Frames the updates of a channel.
    pub(crate) fn new(expo: &ExpoChannel, releases: &[Release]) -> Self {
        let mut updates = LiteMap::new_vec();
        for release in releases {
            let name = match release.content {
                Content::Bundle(_) => "manifest",
                Content::Embedded => "directive",
            };
            let update = expo
                .updates
                .get(&release.id)
                .and_then(|update| Frozen::new(&release.id, update, (name, &expo.asset_request_headers)));
            if let Some(update) = update {
                updates.insert(release.id.clone(), Arc::new(update));
            }
        }
        let mut places: Box<[usize]> = (0..releases.len()).collect();
        places.sort_unstable_by_key(|place| &releases[*place].id);
        let server_defined = expo.server_defined_headers.as_ref();
        let server_defined_headers =
            server_defined.and_then(|headers| HeaderValue::from_str(headers.as_str()).ok().map(Box::new));
        Self { updates, places, server_defined_headers }
    }

    /// Returns what is told of a release.
    pub(super) fn get(&self, release: &ReleaseId) -> Option<&Arc<Frozen>> {
        self.updates.get(release)
    }

    /// Returns the one of the snapshot's releases that the update was made of.
    pub(super) fn release_of<'a>(&self, update: UpdateId, releases: &'a [Release]) -> Option<&'a Release> {
        let wanted = update.release();
        let found = self.places.binary_search_by_key(&&wanted, |place| &releases[*place].id).ok()?;
        releases.get(self.places[found])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_as_the_strictest_reader_wants_them() {
        let more = [("certificate_chain", "application/x-pem-file", "PEM")];
        let multipart = Multipart::new(("manifest", "{}"), Some("sig=\"AA==\""), &more).unwrap();
        let content_type = multipart.content_type.to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\ncontent-disposition: inline; name=\"manifest\"\r\ncontent-type: application/json\r\n\
             expo-signature: sig=\"AA==\"\r\n\r\n{{}}\r\n--{boundary}\r\ncontent-disposition: inline; \
             name=\"certificate_chain\"\r\ncontent-type: application/x-pem-file\r\n\r\nPEM\r\n--{boundary}--\r\n"
        );
        assert_eq!(multipart.body, expected);
    }

    #[test]
    fn every_file_of_a_manifest_is_fetched_with_the_headers_for_assets() {
        let body = r#"{"id":"1","launchAsset":{"key":"a","url":"u"},"assets":[{"key":"b"},{"key":"c"}]}"#;
        let headers = r#"authorization="Bearer \"1\"""#.parse().unwrap();
        let sent = r#"{"authorization":"Bearer \"1\""}"#;
        let expected = format!(r#"{{"assetRequestHeaders":{{"a":{sent},"b":{sent},"c":{sent}}}}}"#);
        assert_eq!(extensions(body, &headers), Some(expected));
        assert_eq!(extensions(body, &AssetRequestHeaders::default()), None);
        assert_eq!(extensions(r#"{"type":"rollBackToEmbedded"}"#, &headers), None, "a directive has no files");
    }
}
