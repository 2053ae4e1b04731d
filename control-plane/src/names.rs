//! This file's job is to read and write resource names such as `apps/{app}/channels/{channel}`.
//!
//! A request may name a thing by its id or by the name that people gave it; answers always have ids.

use crate::error::Error;
use domain::id::{
    ApiKeyId, AppId, BinaryId, BundleId, ChannelId, CredentialId, DeliveryId, OrganizationId, PublisherId, ReleaseId,
    UploadId, WebhookId,
};
use domain::{AppSlug, ChannelName};
use std::str::FromStr;

/// An app by id or slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppRef {
    /// By id.
    Id(AppId),
    /// By slug.
    Slug(AppSlug),
}

/// A channel by id or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelRef {
    /// By id.
    Id(ChannelId),
    /// By name.
    Name(ChannelName),
}

/// A release by id or label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseRef {
    /// By id.
    Id(ReleaseId),
    /// By the number in its label: `v3`.
    Seq(u64),
}

/// `apps/{app}/channels/{channel}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPath {
    /// The app.
    pub app: AppRef,
    /// The channel.
    pub channel: ChannelRef,
}

/// `apps/{app}/channels/{channel}/releases/{release}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasePath {
    /// The channel.
    pub channel: ChannelPath,
    /// The release.
    pub release: ReleaseRef,
}

/// A release in a request that names the channel elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedRelease {
    /// By its full name, whose channel must be that one.
    Full(ReleasePath),
    /// By id or label.
    Short(ReleaseRef),
}

/// `webhooks/{webhook}/deliveries/{delivery}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPath {
    /// The webhook.
    pub webhook: WebhookId,
    /// The delivery.
    pub delivery: DeliveryId,
}

/// A thing that an app owns directly and that only its id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPath<Id> {
    /// The app.
    pub app: AppRef,
    /// The thing.
    pub id: Id,
}

impl FromStr for AppRef {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Slug)).map_err(drop)
    }
}

impl FromStr for ChannelRef {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::Name)).map_err(drop)
    }
}

impl FromStr for ReleaseRef {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let digits =
            text.strip_prefix('v').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).ok_or(())?;
        if digits.starts_with('0') {
            return Err(());
        }
        digits.parse().map(Self::Seq).map_err(drop)
    }
}

/// Splits `name` along the words of `shape` and returns what stands between them.
fn split<'a, const N: usize>(name: &'a str, shape: [&str; N]) -> Option<[&'a str; N]> {
    let mut parts = name.split('/');
    let mut found = [""; N];
    for (word, slot) in shape.iter().zip(&mut found) {
        if parts.next()? != *word {
            return None;
        }
        *slot = parts.next().filter(|part| !part.is_empty())?;
    }
    parts.next().is_none().then_some(found)
}

/// Reads `apps/{app}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn app(field: &'static str, name: &str) -> Result<AppRef, Error> {
    split(name, ["apps"]).and_then(|[app]| app.parse().ok()).ok_or_else(|| Error::field(field, "must be apps/{app}"))
}

/// Reads `apps/{app}/channels/{channel}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn channel(field: &'static str, name: &str) -> Result<ChannelPath, Error> {
    split(name, ["apps", "channels"])
        .and_then(|[app, channel]| Some(ChannelPath { app: app.parse().ok()?, channel: channel.parse().ok()? }))
        .ok_or_else(|| Error::field(field, "must be apps/{app}/channels/{channel}"))
}

/// Reads `apps/{app}/channels/{channel}/releases/{release}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn release(field: &'static str, name: &str) -> Result<ReleasePath, Error> {
    let read = |[app, channel, release]: [&str; 3]| {
        let channel = ChannelPath { app: app.parse().ok()?, channel: channel.parse().ok()? };
        Some(ReleasePath { channel, release: release.parse().ok()? })
    };
    split(name, ["apps", "channels", "releases"])
        .and_then(read)
        .ok_or_else(|| Error::field(field, "must be apps/{app}/channels/{channel}/releases/{release}"))
}

/// Reads a release's full name, its id, or its label.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn named_release(field: &'static str, text: &str) -> Result<NamedRelease, Error> {
    if text.contains('/') {
        return release(field, text).map(NamedRelease::Full);
    }
    let short = text.parse().map(NamedRelease::Short);
    short.map_err(|()| Error::field(field, "must be a release's full name, its id, or its label such as v3"))
}

fn owned<Id: FromStr>(word: &str, name: &str) -> Option<OwnedPath<Id>> {
    let [app, id] = split(name, ["apps", word])?;
    Some(OwnedPath { app: app.parse().ok()?, id: id.parse().ok()? })
}

/// Reads `apps/{app}/bundles/{bundle}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn bundle(field: &'static str, name: &str) -> Result<OwnedPath<BundleId>, Error> {
    owned("bundles", name).ok_or_else(|| Error::field(field, "must be apps/{app}/bundles/{bundle}"))
}

/// Reads `apps/{app}/uploads/{upload}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn upload(field: &'static str, name: &str) -> Result<OwnedPath<UploadId>, Error> {
    owned("uploads", name).ok_or_else(|| Error::field(field, "must be apps/{app}/uploads/{upload}"))
}

/// Reads `apps/{app}/binaries/{binary}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn binary(field: &'static str, name: &str) -> Result<OwnedPath<BinaryId>, Error> {
    owned("binaries", name).ok_or_else(|| Error::field(field, "must be apps/{app}/binaries/{binary}"))
}

/// Reads `apps/{app}/publishers/{publisher}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn publisher(field: &'static str, name: &str) -> Result<OwnedPath<PublisherId>, Error> {
    owned("publishers", name).ok_or_else(|| Error::field(field, "must be apps/{app}/publishers/{publisher}"))
}

/// Reads `apps/{app}/credentials/{credential}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn credential(field: &'static str, name: &str) -> Result<OwnedPath<CredentialId>, Error> {
    owned("credentials", name).ok_or_else(|| Error::field(field, "must be apps/{app}/credentials/{credential}"))
}

/// Reads `organizations/{organization}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn organization(field: &'static str, name: &str) -> Result<OrganizationId, Error> {
    split(name, ["organizations"])
        .and_then(|[organization]| organization.parse().ok())
        .ok_or_else(|| Error::field(field, "must be organizations/{organization id}"))
}

/// Writes `organizations/{organization}`.
#[must_use]
pub fn of_organization(organization: &OrganizationId) -> String {
    format!("organizations/{organization}")
}

/// Reads `keys/{key}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn key(field: &'static str, name: &str) -> Result<ApiKeyId, Error> {
    split(name, ["keys"]).and_then(|[key]| key.parse().ok()).ok_or_else(|| Error::field(field, "must be keys/{key}"))
}

/// Reads `webhooks/{webhook}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn webhook(field: &'static str, name: &str) -> Result<WebhookId, Error> {
    split(name, ["webhooks"])
        .and_then(|[webhook]| webhook.parse().ok())
        .ok_or_else(|| Error::field(field, "must be webhooks/{webhook}"))
}

/// Reads `webhooks/{webhook}/deliveries/{delivery}`.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn delivery(field: &'static str, name: &str) -> Result<DeliveryPath, Error> {
    split(name, ["webhooks", "deliveries"])
        .and_then(|[webhook, delivery]| {
            Some(DeliveryPath { webhook: webhook.parse().ok()?, delivery: delivery.parse().ok()? })
        })
        .ok_or_else(|| Error::field(field, "must be webhooks/{webhook}/deliveries/{delivery}"))
}

/// Writes `webhooks/{webhook}`.
#[must_use]
pub fn of_webhook(webhook: &WebhookId) -> String {
    format!("webhooks/{webhook}")
}

/// Writes `webhooks/{webhook}/deliveries/{delivery}`.
#[must_use]
pub fn of_delivery(webhook: &WebhookId, delivery: &DeliveryId) -> String {
    format!("webhooks/{webhook}/deliveries/{delivery}")
}

/// Writes `keys/{key}`.
#[must_use]
pub fn of_key(key: &ApiKeyId) -> String {
    format!("keys/{key}")
}

/// Writes `apps/{app}`.
#[must_use]
pub fn of_app(app: &AppId) -> String {
    format!("apps/{app}")
}

/// Writes `apps/{app}/channels/{channel}`.
#[must_use]
pub fn of_channel(app: &AppId, channel: &ChannelId) -> String {
    format!("apps/{app}/channels/{channel}")
}

/// Writes `apps/{app}/channels/{channel}/releases/{release}`.
#[must_use]
pub fn of_release(app: &AppId, channel: &ChannelId, release: &ReleaseId) -> String {
    format!("apps/{app}/channels/{channel}/releases/{release}")
}

/// Writes `apps/{app}/bundles/{bundle}`.
#[must_use]
pub fn of_bundle(app: &AppId, bundle: &BundleId) -> String {
    format!("apps/{app}/bundles/{bundle}")
}

/// Writes `apps/{app}/uploads/{upload}`.
#[must_use]
pub fn of_upload(app: &AppId, upload: &UploadId) -> String {
    format!("apps/{app}/uploads/{upload}")
}

/// Writes `apps/{app}/binaries/{binary}`.
#[must_use]
pub fn of_binary(app: &AppId, binary: &BinaryId) -> String {
    format!("apps/{app}/binaries/{binary}")
}

/// Writes `apps/{app}/publishers/{publisher}`.
#[must_use]
pub fn of_publisher(app: &AppId, publisher: &PublisherId) -> String {
    format!("apps/{app}/publishers/{publisher}")
}

/// Writes `apps/{app}/credentials/{credential}`.
#[must_use]
pub fn of_credential(app: &AppId, credential: &CredentialId) -> String {
    format!("apps/{app}/credentials/{credential}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_told_apart() {
        assert!(matches!(app("name", "apps/shop"), Ok(AppRef::Slug(_))));
        assert!(matches!(app("name", "apps/app_01j9aaaaaaaaaaaaaaaaaaaaaa"), Ok(AppRef::Id(_))));
        let path = release("name", "apps/shop/channels/production/releases/v12").expect("a well-formed name");
        assert_eq!(path.release, ReleaseRef::Seq(12));
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "apps",
            "apps/",
            "apps//x",
            "apps/Shop",
            "channels/shop",
            "apps/shop/",
            "apps/shop/channels/x",
            "/apps/shop",
        ] {
            assert!(app("name", text).is_err(), "{text}");
        }
        for text in ["apps/shop/bundles/x", "apps/shop/bundles", "apps/shop/uploads/bun_01j9aaaaaaaaaaaaaaaaaaaaaa"] {
            assert!(bundle("name", text).is_err(), "{text}");
        }
        for label in ["12", "v", "v+3", "v03", "v0", "v-1"] {
            assert!(release("name", &format!("apps/shop/channels/production/releases/{label}")).is_err(), "{label}");
        }
    }
}
