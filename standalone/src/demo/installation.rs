//! This file's job is to keep what is installed on a device, so that a bad bundle never runs twice.
//!
//! A bundle is staged, starts on trial at the next restart, and is kept once it says that it works. One that does not is
//! dropped at the restart after that, and never taken again.

use domain::Sha256;
use std::collections::{BTreeMap, BTreeSet};

/// A bundle on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The bundle's content hash.
    pub content_sha256: Sha256,
    /// The release that brought it.
    pub release_id: String,
    /// The release's label.
    pub label: String,
    /// SHA-256 of the launch file.
    pub launch_sha256: Sha256,
    /// SHA-256 of every file, by path.
    pub files: BTreeMap<String, Sha256>,
}

/// What a restart did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The same as before runs.
    Same,
    /// The staged bundle runs, on trial; `None` is the embedded one.
    New(Option<Installed>),
    /// The bundle on trial had not said that it works: the one before it runs again.
    WentBack {
        /// The bundle that was dropped.
        dropped: Installed,
    },
}

/// What is installed; `None` stands for the bundle that came with the binary.
#[derive(Debug, Default)]
pub struct Installation {
    running: Option<Installed>,
    before: Option<Installed>,
    staged: Option<Option<Installed>>,
    on_trial: bool,
    refused: BTreeSet<Sha256>,
}

impl Installation {
    /// Returns the downloaded bundle that runs; none while the embedded one does.
    #[must_use]
    pub const fn running(&self) -> Option<&Installed> {
        self.running.as_ref()
    }

    /// Says whether the bundle crashed here before.
    #[must_use]
    pub fn refuses(&self, content: &Sha256) -> bool {
        self.refused.contains(content)
    }

    /// Makes the bundle run from the next restart on; `None` goes back to the embedded one.
    pub fn stage(&mut self, bundle: Option<Installed>) {
        self.staged = Some(bundle);
    }

    /// Starts again: takes what is staged, or drops what did not work.
    pub fn restart(&mut self) -> Started {
        if self.on_trial
            && let Some(dropped) = self.running.take()
        {
            self.on_trial = false;
            self.refused.insert(dropped.content_sha256);
            self.running = self.before.take();
            return Started::WentBack { dropped };
        }
        match self.staged.take() {
            Some(staged) => {
                self.before = std::mem::replace(&mut self.running, staged.clone());
                // The embedded bundle has nothing to go back to.
                self.on_trial = staged.is_some();
                Started::New(staged)
            }
            None => Started::Same,
        }
    }

    /// The running bundle says that it works. Returns it when it was on trial.
    pub fn confirm(&mut self) -> Option<&Installed> {
        let was_on_trial = std::mem::take(&mut self.on_trial);
        self.running.as_ref().filter(|_| was_on_trial)
    }

    /// Returns the files that must stay: those of the running bundle and of the one before.
    pub fn kept_files(&self) -> impl Iterator<Item = &Sha256> {
        self.running
            .iter()
            .chain(&self.before)
            .chain(self.staged.iter().flatten())
            .flat_map(|bundle| bundle.files.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(label: &str) -> Installed {
        Installed {
            content_sha256: Sha256::of(label.as_bytes()),
            release_id: format!("rel_{label}"),
            label: label.to_owned(),
            launch_sha256: Sha256::of(label.as_bytes()),
            files: BTreeMap::new(),
        }
    }

    #[test]
    fn a_bundle_that_works_stays() {
        let mut installation = Installation::default();
        installation.stage(Some(bundle("v1")));
        assert!(installation.running().is_none());
        assert_eq!(installation.restart(), Started::New(Some(bundle("v1"))));
        assert_eq!(installation.confirm(), Some(&bundle("v1")));
        assert_eq!(installation.confirm(), None);
        assert_eq!(installation.restart(), Started::Same);
        assert_eq!(installation.running(), Some(&bundle("v1")));
    }

    #[test]
    fn a_bundle_that_crashes_is_dropped_and_refused() {
        let mut installation = Installation::default();
        for label in ["v1", "v2"] {
            installation.stage(Some(bundle(label)));
            installation.restart();
            if label == "v1" {
                installation.confirm();
            }
        }
        assert_eq!(installation.restart(), Started::WentBack { dropped: bundle("v2") });
        assert_eq!(installation.running(), Some(&bundle("v1")));
        assert!(installation.refuses(&bundle("v2").content_sha256));
        assert_eq!(installation.restart(), Started::Same);
    }

    #[test]
    fn the_embedded_bundle_is_always_there_to_go_back_to() {
        let mut installation = Installation::default();
        installation.stage(Some(bundle("v1")));
        installation.restart();
        installation.confirm();
        installation.stage(None);
        assert_eq!(installation.restart(), Started::New(None));
        assert_eq!(installation.restart(), Started::Same);
        assert!(installation.running().is_none());
    }
}
