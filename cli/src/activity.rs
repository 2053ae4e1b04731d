//! This file's job is to show what devices did with a release.

use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter, Result};

/// What devices did with a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ReleaseActivity")]
pub struct Activity {
    pub offered: u64,
    pub downloaded: u64,
    pub installed: u64,
    pub launched: u64,
    pub crashed: u64,
    pub rolled_back: u64,
    pub failed: u64,
}

impl From<v1::ReleaseActivity> for Activity {
    fn from(activity: v1::ReleaseActivity) -> Self {
        let v1::ReleaseActivity { offered, downloaded, installed, launched, crashed, rolled_back, failed } = activity;
        Self { offered, downloaded, installed, launched, crashed, rolled_back, failed }
    }
}

impl Display for Activity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let counts = [
            (self.offered, "offered"),
            (self.downloaded, "downloaded"),
            (self.installed, "installed"),
            (self.launched, "launched"),
            (self.crashed, "crashed"),
            (self.rolled_back, "rolled back"),
            (self.failed, "failed"),
        ];
        let texts: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{what} {count}")).collect();
        match texts.is_empty() {
            true => writeln!(f, "No device has asked for it yet."),
            false => writeln!(f, "Times: {}.", texts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_told() {
        let none = v1::ReleaseActivity::default();
        assert_eq!(Activity::from(none).to_string(), "No device has asked for it yet.\n");
        let some = v1::ReleaseActivity { offered: 12, rolled_back: 1, ..none };
        assert_eq!(Activity::from(some).to_string(), "Times: offered 12, rolled back 1.\n");
    }
}
