//! This file's job is to find what a resource name stands for, inside the caller's organization only.

use crate::error::{Error, Result};
use crate::names::{AppRef, ChannelPath, ChannelRef, NamedRelease, OwnedPath, ReleasePath, ReleaseRef};
use db::apps::App;
use db::binaries::Binary;
use db::bundles::Bundle;
use db::channels::Channel;
use db::releases::Release;
use db::uploads::Upload;
use db::{DbConn, Scope};
use domain::id::{BinaryId, BundleId, UploadId};

/// Finds an app.
///
/// # Errors
/// Not found, also for an app of another organization.
pub fn app(conn: &mut DbConn, scope: &Scope, name: &AppRef) -> Result<App> {
    match name {
        AppRef::Id(id) => Ok(db::apps::get(conn, scope, id)?),
        AppRef::Slug(slug) => db::apps::find_by_slug(conn, scope, slug)?.ok_or_else(|| Error::not_found("app")),
    }
}

/// Finds a channel.
///
/// # Errors
/// Not found, also when the channel belongs to another app.
pub fn channel(conn: &mut DbConn, scope: &Scope, path: &ChannelPath) -> Result<Channel> {
    let app = app(conn, scope, &path.app)?;
    let found = match &path.channel {
        ChannelRef::Id(id) => Some(db::channels::get(conn, scope, id)?),
        ChannelRef::Name(name) => db::channels::find_by_name(conn, scope, &app.id, name)?,
    };
    found.filter(|channel| channel.app == app.id).ok_or_else(|| Error::not_found("channel"))
}

/// Finds a release and its channel.
///
/// # Errors
/// Not found, also when the release belongs to another channel.
pub fn release(conn: &mut DbConn, scope: &Scope, path: &ReleasePath) -> Result<(Channel, Release)> {
    let channel = channel(conn, scope, &path.channel)?;
    let release = release_of(conn, scope, &channel, &path.release)?;
    Ok((channel, release))
}

/// Finds a release of a channel.
///
/// # Errors
/// Not found, also when the release belongs to another channel.
pub fn release_of(conn: &mut DbConn, scope: &Scope, channel: &Channel, name: &ReleaseRef) -> Result<Release> {
    let found = match name {
        ReleaseRef::Id(id) => Some(db::releases::get(conn, scope, id)?),
        ReleaseRef::Seq(seq) => db::releases::find_by_seq(conn, scope, &channel.id, *seq)?,
    };
    found.filter(|release| release.channel == channel.id).ok_or_else(|| Error::not_found("release"))
}

/// Finds a release of a channel by any of its names.
///
/// # Errors
/// Not found, also when the release belongs to another channel.
pub fn named_release(conn: &mut DbConn, scope: &Scope, channel: &Channel, name: &NamedRelease) -> Result<Release> {
    match name {
        NamedRelease::Short(name) => release_of(conn, scope, channel, name),
        NamedRelease::Full(path) => {
            let (owner, release) = release(conn, scope, path)?;
            if owner.id == channel.id { Ok(release) } else { Err(Error::not_found("release")) }
        }
    }
}

/// Finds a bundle.
///
/// # Errors
/// Not found, also when the bundle belongs to another app.
pub fn bundle(conn: &mut DbConn, scope: &Scope, path: &OwnedPath<BundleId>) -> Result<Bundle> {
    let app = app(conn, scope, &path.app)?;
    let bundle = db::bundles::get(conn, scope, &path.id)?;
    if bundle.app == app.id { Ok(bundle) } else { Err(Error::not_found("bundle")) }
}

/// Finds an upload.
///
/// # Errors
/// Not found, also when the upload belongs to another app.
pub fn upload(conn: &mut DbConn, scope: &Scope, path: &OwnedPath<UploadId>) -> Result<Upload> {
    let app = app(conn, scope, &path.app)?;
    let upload = db::uploads::get(conn, scope, &path.id)?;
    if upload.app == app.id { Ok(upload) } else { Err(Error::not_found("upload")) }
}

/// Finds a binary.
///
/// # Errors
/// Not found, also when the binary belongs to another app.
pub fn binary(conn: &mut DbConn, scope: &Scope, path: &OwnedPath<BinaryId>) -> Result<Binary> {
    let app = app(conn, scope, &path.app)?;
    let binary = db::binaries::get(conn, scope, &path.id)?;
    if binary.app == app.id { Ok(binary) } else { Err(Error::not_found("binary")) }
}
