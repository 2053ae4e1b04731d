//! This file's job is to say what is carried over, and what became of it.

use crate::table;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It would be carried over.
    ToDo,
    /// It was carried over.
    Done,
    /// It is there already.
    There,
    /// It cannot be carried over.
    Failed,
}

impl State {
    /// What is not there yet is done, or would be.
    #[must_use]
    pub const fn of_new(apply: bool) -> Self {
        if apply { Self::Done } else { Self::ToDo }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::ToDo => "to do",
            Self::Done => "done",
            Self::There => "there",
            Self::Failed => "failed",
        }
    }
}

/// Everything that one command looked at.
#[derive(Debug, Serialize)]
pub struct Migration {
    /// Whether anything was changed.
    pub applied: bool,
    /// The apps.
    pub apps: Vec<App>,
}

/// An app.
#[derive(Debug, Serialize)]
pub struct App {
    /// Its name there.
    pub name: String,
    /// Its short name here.
    pub slug: String,
    /// What it runs on.
    pub platform: &'static str,
    /// How the app itself stands.
    pub state: State,
    /// Its deployments.
    pub deployments: Vec<Deployment>,
}

/// A deployment.
#[derive(Debug, Serialize)]
pub struct Deployment {
    /// Its name there.
    pub name: String,
    /// The channel's name here.
    pub channel: String,
    /// How the channel stands.
    pub state: State,
    /// The key that apps have.
    pub key: String,
    /// How the key stands.
    pub key_state: State,
    /// Its releases, oldest first.
    pub releases: Vec<Release>,
}

/// A release.
#[derive(Debug, Serialize)]
pub struct Release {
    /// Its label, there and here.
    pub label: String,
    /// For which binaries it is.
    pub binary_range: String,
    /// The hash of its package there.
    pub package_hash: String,
    /// How it stands.
    pub state: State,
    /// Why it failed, or what is otherwise than there; may be empty.
    pub note: String,
}

impl Migration {
    /// Returns how many releases cannot be carried over.
    #[must_use]
    pub fn failures(&self) -> usize {
        let releases = self.apps.iter().flat_map(|app| &app.deployments).flat_map(|deployment| &deployment.releases);
        releases.filter(|release| release.state == State::Failed).count()
    }
}

impl Display for Migration {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut rows = Vec::new();
        for app in &self.apps {
            let row = |what: String, state: State, note: String| vec![what, state.text().to_owned(), note];
            rows.push(row(app.slug.clone(), app.state, format!("{} ({})", app.name, app.platform)));
            for deployment in &app.deployments {
                let place = format!("{}/{}", app.slug, deployment.channel);
                rows.push(row(place.clone(), deployment.state, deployment.name.clone()));
                rows.push(row(format!("{place} key"), deployment.key_state, deployment.key.clone()));
                for release in &deployment.releases {
                    let note = [&release.binary_range, &release.note].map(String::as_str).join(" ");
                    rows.push(row(format!("{place} {}", release.label), release.state, note.trim().to_owned()));
                }
            }
        }
        f.write_str(&table::text(&["what", "state", "note"], &rows))?;
        if !self.applied {
            f.write_str("\nNothing was changed: --apply does it.\n")?;
        }
        Ok(())
    }
}
