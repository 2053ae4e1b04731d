//! This file's job is to say what differs between the bundles of two releases.

use crate::app::lookup;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::names::{self, NamedRelease, ReleasePath};
use bundle::{Change, Comparison, Contents, Side, compare};
use db::bundles::Bundle;
use db::releases::Release;
use db::{DbConn, Scope};
use domain::Sha256;
use domain::bundle::BundleFile;
use proto::v1;

/// Nothing larger is written by a worker.
const DESCRIPTION_MAX_BYTES: u64 = 32 << 20;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Question {
    new: ReleasePath,
    old: NamedRelease,
}

impl Question {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::DiffReleasesRequest) -> Result<Self> {
        let (new, old) =
            (names::release("name", &request.name)?, names::named_release("old_release", &request.old_release)?);
        Ok(Self { new, old })
    }
}

/// What differs, and between what.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The bundle of the old release.
    pub old: Bundle,
    /// The bundle of the new release.
    pub new: Bundle,
    /// What differs.
    pub comparison: Comparison,
}

/// A bundle, and where the description of its inside is.
struct Place {
    bundle: Bundle,
    files: Vec<BundleFile>,
    description: Option<Sha256>,
}

/// Compares the bundles of two releases. What is inside of them was found out when they were uploaded.
///
/// # Errors
/// Not found when a release does not exist; invalid argument when one brings no bundle, or another app or platform.
pub async fn diff(context: &Context, scope: Scope, question: Question) -> Result<Difference> {
    let (old, new) = context.read(move |conn| find(conn, &scope, &question)).await?;
    let _place = context.comparing.acquire().await.map_err(|cause| broken(cause.into()))?;
    let (before, after) = (description(context, &old).await?, description(context, &new).await?);
    let work = tokio::task::spawn_blocking(move || {
        let (before, after) = (decode(before)?, decode(after)?);
        let old_side = Side { files: &old.files, contents: &before };
        let comparison = compare(old_side, Side { files: &new.files, contents: &after });
        Ok(Difference { old: old.bundle, new: new.bundle, comparison })
    });
    work.await.map_err(|cause| broken(cause.into()))?
}

fn find(conn: &mut DbConn, scope: &Scope, question: &Question) -> Result<(Place, Place)> {
    let (channel, new) = lookup::release(conn, scope, &question.new)?;
    let old = match &question.old {
        NamedRelease::Short(name) => lookup::release_of(conn, scope, &channel, name)?,
        NamedRelease::Full(path) => lookup::release(conn, scope, path)?.1,
    };
    if old.app != new.app || old.platform != new.platform {
        return Err(Error::field("old_release", "must be of the same app and platform"));
    }
    Ok((place(conn, scope, "old_release", &old)?, place(conn, scope, "name", &new)?))
}

fn place(conn: &mut DbConn, scope: &Scope, field: &'static str, release: &Release) -> Result<Place> {
    let id = release.bundle.as_ref().ok_or_else(|| Error::field(field, "must be a release with a bundle"))?;
    let bundle = db::bundles::get(conn, scope, id)?;
    let files = db::bundles::files(conn, scope, id)?;
    let description = db::bundle_contents::find(conn, scope, id)?.map(|known| known.sha256);
    Ok(Place { bundle, files, description })
}

async fn description(context: &Context, place: &Place) -> Result<Option<bytes::Bytes>> {
    match &place.description {
        Some(sha256) => Ok(Some(context.store.read(sha256, DESCRIPTION_MAX_BYTES).await?)),
        None => Ok(None),
    }
}

/// Of a bundle from before descriptions were kept only the files are known.
fn decode(stored: Option<bytes::Bytes>) -> Result<Contents> {
    let contents = stored.map(|bytes| Contents::decode(&bytes)).transpose();
    Ok(contents.map_err(|cause| broken(cause.into()))?.unwrap_or_default())
}

fn broken(cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Broken { what: "two bundles cannot be compared", cause }
}

impl Difference {
    /// Returns the changes behind a number of others, and the number to go on after.
    #[must_use]
    pub fn page(&self, after: usize, limit: usize) -> (&[Change], Option<usize>) {
        let changes = &self.comparison.changes;
        let begin = after.min(changes.len());
        let end = begin.saturating_add(limit).min(changes.len());
        (&changes[begin..end], (end < changes.len()).then_some(end))
    }
}
