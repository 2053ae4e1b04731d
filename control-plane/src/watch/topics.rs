//! This file's job is to say what one client watches, and that it may.

use super::hub::Delta;
use crate::app::lookup;
use crate::error::{Error, Result};
use crate::names::{self, AppRef, OwnedPath};
use crate::rpc::encode;
use db::feed::Subject;
use db::{DbConn, Scope};
use domain::ChannelName;
use domain::id::{AppId, UploadId};
use proto::v1;
use std::collections::BTreeSet;

/// More topics than any page shows.
const TOPICS_MAX: usize = 100;
/// Uploads of one app in a snapshot.
const UPLOADS_SHOWN: u32 = 50;
/// Channels of one app in a snapshot.
const CHANNELS_SHOWN: u32 = 100;
/// Apps in a snapshot of everything; clients with more name those that they show.
const APPS_SHOWN: u32 = 100;

/// What a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// An app.
    App(AppRef),
    /// One upload.
    Upload(OwnedPath<UploadId>),
}

/// Reads the topics of a request.
///
/// # Errors
/// Invalid argument.
pub fn parse(topics: &[String]) -> Result<Vec<Named>> {
    if topics.len() > TOPICS_MAX {
        return Err(Error::field("topics", format!("must be at most {TOPICS_MAX}")));
    }
    let read = |topic: &String| match names::upload("topics", topic) {
        Ok(upload) => Ok(Named::Upload(upload)),
        Err(_) => names::app("topics", topic).map(Named::App),
    };
    let read = topics.iter().map(read).collect::<Result<Vec<_>>>();
    read.map_err(|_| Error::field("topics", "must be apps/{app} or apps/{app}/uploads/{upload}"))
}

/// What one client watches.
#[derive(Debug, Clone)]
pub struct Topics {
    scope: Scope,
    /// Everything that the scope shows.
    all: bool,
    apps: BTreeSet<AppId>,
    uploads: BTreeSet<UploadId>,
}

impl Topics {
    /// Finds what the topics name.
    ///
    /// # Errors
    /// Not found, also for what another organization has.
    pub fn find(conn: &mut DbConn, scope: &Scope, named: &[Named]) -> Result<Self> {
        let (mut apps, mut uploads) = (BTreeSet::new(), BTreeSet::new());
        for named in named {
            match named {
                Named::App(app) => drop(apps.insert(lookup::app(conn, scope, app)?.id)),
                Named::Upload(path) => drop(uploads.insert(lookup::upload(conn, scope, path)?.id)),
            }
        }
        Ok(Self { scope: scope.clone(), all: named.is_empty(), apps, uploads })
    }

    /// Reads the state of everything that is watched.
    ///
    /// # Errors
    /// Those of the database.
    pub fn snapshot(&self, conn: &mut DbConn) -> Result<v1::WatchSnapshot> {
        let mut snapshot = v1::WatchSnapshot::default();
        let apps: Vec<AppId> = if self.all {
            db::apps::list(conn, &self.scope, None, APPS_SHOWN)?.into_iter().map(|app| app.id).collect()
        } else {
            self.apps.iter().cloned().collect()
        };
        for app in apps {
            // An app that was deleted meanwhile has nothing to show.
            let uploads = none_when_gone(db::uploads::list(conn, &self.scope, &app, None, UPLOADS_SHOWN))?;
            snapshot.uploads.extend(uploads.iter().map(encode::upload));
            let channels = none_when_gone(db::channels::list(conn, &self.scope, &app, None, CHANNELS_SHOWN))?;
            snapshot.channels.extend(channels.iter().map(encode::channel));
        }
        for upload in &self.uploads {
            match db::uploads::get(conn, &self.scope, upload) {
                Ok(row) if !self.apps.contains(&row.app) => snapshot.uploads.push(encode::upload(&row)),
                Ok(_) | Err(db::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(snapshot)
    }

    /// Says whether the change is one of those that were asked for.
    #[must_use]
    pub fn contain(&self, delta: &Delta) -> bool {
        let is_named = matches!(&delta.subject, Subject::Upload(id) if self.uploads.contains(id));
        self.all || is_named || self.apps.contains(&delta.app)
    }

    /// Returns what the scope must show for the change to be told. A channel that is gone cannot be looked at any more: whoever sees
    /// the whole app is told its name.
    #[must_use]
    pub fn thing_of(&self, delta: &Delta) -> Thing {
        match &delta.subject {
            Subject::Upload(_) => (delta.app.clone(), None),
            Subject::Channel(_) if delta.is_gone && !self.scope.is_partial() => (delta.app.clone(), None),
            Subject::Channel(name) => (delta.app.clone(), Some(name.clone())),
        }
    }

    /// Says whether the scope shows what changed.
    ///
    /// # Errors
    /// Those of the database.
    pub fn shows(&self, conn: &mut DbConn, thing: &Thing) -> Result<bool> {
        let (app, channel) = thing;
        let Some(channel) = channel else {
            return match db::apps::get(conn, &self.scope, app) {
                Ok(_) => Ok(true),
                Err(db::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            };
        };
        Ok(db::channels::find_by_name(conn, &self.scope, app, channel)?.is_some())
    }
}

/// What a scope shows or not: an app, or one of its channels.
pub type Thing = (AppId, Option<ChannelName>);

fn none_when_gone<T>(listed: db::Result<Vec<T>>) -> db::Result<Vec<T>> {
    match listed {
        Err(db::Error::NotFound { .. }) => Ok(Vec::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_apps_and_uploads_and_nothing_else() {
        let parsed = parse(&["apps/shop".into(), "apps/shop/uploads/upl_01j9aaaaaaaaaaaaaaaaaaaaaa".into()]);
        assert!(matches!(parsed.as_deref(), Ok([Named::App(_), Named::Upload(_)])), "{parsed:?}");
        for bad in ["", "apps", "apps/shop/channels/production", "organizations/x"] {
            assert!(parse(&[bad.into()]).is_err(), "{bad}");
        }
        assert!(parse(&vec!["apps/shop".to_owned(); TOPICS_MAX + 1]).is_err());
    }
}
