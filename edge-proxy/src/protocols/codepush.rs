//! This file's job is to name the parts of CodePush's protocol: what its clients ask for and report.
//!
//! There are two generations of clients. The older ones write names in camel case, the newer ones in snake case; each generation has its own
//! paths, and on every path both spellings are understood.

pub(crate) mod answer;
pub(crate) mod check;
mod device;
pub(crate) mod outcome;
pub(crate) mod query;
pub(crate) mod report;
mod version;

/// Newer clients ask here for updates.
pub(crate) const CHECK: &str = "/v0.1/public/codepush/update_check";
/// Older clients ask here.
pub(crate) const CHECK_CAMEL: &str = "/updateCheck";
/// Newer clients say here that a package has arrived.
pub(crate) const DOWNLOADED: &str = "/v0.1/public/codepush/report_status/download";
/// Older clients say so here.
pub(crate) const DOWNLOADED_CAMEL: &str = "/reportStatus/download";
/// Newer clients say here what became of a package.
pub(crate) const DEPLOYED: &str = "/v0.1/public/codepush/report_status/deploy";
/// Older clients say so here.
pub(crate) const DEPLOYED_CAMEL: &str = "/reportStatus/deploy";

/// How the names in an answer are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `update_info`
    Snake,
    /// `updateInfo`
    Camel,
}

/// Returns the number in a label: 12 for `v12`; 0, which no release has, for other texts.
fn seq_of(label: &str) -> u64 {
    let digits = label.strip_prefix('v').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.filter(|digits| !digits.starts_with('0')).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_labels_have_numbers() {
        assert_eq!(["v1", "v12", "v999"].map(seq_of), [1, 12, 999]);
        assert_eq!(["", "v", "v0", "v01", "12", "v-1", "v1.0", "V1", "v99999999999999999999999"].map(seq_of), [0; 9]);
    }
}
