//! This file's job is to frame what was frozen at publish, once for all answers.
//!
//! The framing is strict because the reader on iOS is: line ends of two bytes everywhere, also behind the last delimiter, and names of
//! headers in lower case.

use bytes::Bytes;
use domain::Sha256;
use domain::expo::{ExpoChannel, ExpoUpdate, UpdateId, date_text};
use domain::id::ReleaseId;
use domain::release::{Content, Release};
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::Arc;

/// Says that nothing is new. Not signed: who expects a signature is told so with an empty answer.
const NO_UPDATE: &str = r#"{"type":"noUpdateAvailable"}"#;
const NO_CHAIN: &str = "";

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
    fn new(release: &ReleaseId, update: &ExpoUpdate, name: &str) -> Option<Self> {
        let signature = Some(&update.signature).filter(|signature| !signature.is_empty());
        let plain = Multipart::new(name, &update.body, None, NO_CHAIN)?;
        let signed = match signature {
            Some(signature) => Multipart::new(name, &update.body, Some(signature), &update.certificate_chain)?,
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

impl Multipart {
    /// Frames the directive that says that nothing is new.
    pub(crate) fn no_update() -> Option<Self> {
        Self::new("directive", NO_UPDATE, None, NO_CHAIN)
    }

    fn new(name: &str, body: &str, signature: Option<&str>, chain: &str) -> Option<Self> {
        // Nobody can write a text that holds a part of its own hash.
        let boundary = format!("aloft-{}", &Sha256::of(format!("{body}{chain}").as_bytes()).to_hex()[..24]);
        let mut text = String::with_capacity(body.len() + chain.len() + 1_024);
        let header = signature.map(|signature| format!("expo-signature: {signature}\r\n")).unwrap_or_default();
        part(&mut text, &boundary, name, &format!("content-type: application/json\r\n{header}"), body);
        if !chain.is_empty() {
            part(&mut text, &boundary, "certificate_chain", "content-type: application/x-pem-file\r\n", chain);
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
    updates: HashMap<ReleaseId, Arc<Frozen>>,
    /// Where each release stands in the snapshot, by the bits of its id, which are those of the update that was made of it.
    places: HashMap<u128, usize>,
}

impl Frames {
    /// Frames the updates of a channel.
    pub(crate) fn new(expo: &ExpoChannel, releases: &[Release]) -> Self {
        let mut updates = HashMap::new();
        for release in releases {
            let name = match release.content {
                Content::Bundle(_) => "manifest",
                Content::Embedded => "directive",
            };
            let update = expo.updates.get(&release.id).and_then(|update| Frozen::new(&release.id, update, name));
            updates.extend(update.map(|update| (release.id.clone(), Arc::new(update))));
        }
        let places = releases.iter().enumerate().map(|(place, release)| (release.id.bits(), place)).collect();
        Self { updates, places }
    }

    /// Returns what is told of a release.
    pub(super) fn get(&self, release: &ReleaseId) -> Option<&Arc<Frozen>> {
        self.updates.get(release)
    }

    /// Returns where the release of an update stands in the snapshot.
    pub(super) fn place_of(&self, update: UpdateId) -> Option<usize> {
        self.places.get(&update.bits()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_as_the_strictest_reader_wants_them() {
        let multipart = Multipart::new("manifest", "{}", Some("sig=\"AA==\""), "PEM").unwrap();
        let content_type = multipart.content_type.to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\ncontent-disposition: inline; name=\"manifest\"\r\ncontent-type: application/json\r\n\
             expo-signature: sig=\"AA==\"\r\n\r\n{{}}\r\n--{boundary}\r\ncontent-disposition: inline; \
             name=\"certificate_chain\"\r\ncontent-type: application/x-pem-file\r\n\r\nPEM\r\n--{boundary}--\r\n"
        );
        assert_eq!(multipart.body, expected);
    }
}
