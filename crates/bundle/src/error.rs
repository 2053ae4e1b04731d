//! This file's job is to say why an upload is refused.

use domain::ErrorKind;
use std::io;
use thiserror::Error;

/// Why reading, detecting or packing failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The content breaks a rule. The text is for the person who uploaded it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was unpacked could not be taken: not the archive's fault.
    #[error("taking a file of the archive")]
    Sink(#[source] io::Error),
    /// A local file could not be read or written.
    #[error("{action} {path}")]
    Local {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// Why it failed.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    /// Returns what a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(_) => ErrorKind::InvalidArgument,
            Self::Sink(cause) => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
                _ => ErrorKind::Unavailable,
            },
            Self::Local { cause, .. } if cause.kind() == io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Local { .. } => ErrorKind::Internal,
        }
    }
}

/// A rule that the content breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The bytes are no archive of the declared format, or end too early, or fail their checksums.
    #[error("the archive is broken: {0}")]
    Broken(String),
    /// An entry is broken or lies about itself.
    #[error("{entry:?} is broken: {why}")]
    BrokenEntry {
        /// The entry's name.
        entry: String,
        /// What is wrong.
        why: String,
    },
    /// An entry's name is not one that is safe everywhere.
    #[error("{entry:?}: the name {rule}")]
    Name {
        /// The entry's name.
        entry: String,
        /// The rule, as the end of a sentence.
        rule: &'static str,
    },
    /// Two entries would be the same file on some device.
    #[error("{entry:?} is the same file as {other:?} on some devices")]
    Duplicate {
        /// The later entry.
        entry: String,
        /// The earlier entry.
        other: String,
    },
    /// An entry is not a file or folder.
    #[error("{entry:?} is {what}; only files and folders are taken")]
    Special {
        /// The entry's name.
        entry: String,
        /// What it is, with an article.
        what: &'static str,
    },
    /// The archive has more entries than allowed.
    #[error("the archive has more than {max} entries")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// An entry is larger than allowed.
    #[error("{entry:?} is larger than {max_bytes} bytes")]
    FileTooLarge {
        /// The entry's name.
        entry: String,
        /// The limit.
        max_bytes: u64,
    },
    /// All entries together are larger than allowed.
    #[error("{entry:?} makes the content larger than {max_bytes} bytes")]
    TooLarge {
        /// The entry at which the limit was reached.
        entry: String,
        /// The limit.
        max_bytes: u64,
    },
    /// The content is too many times larger than the archive.
    #[error("{entry:?} makes the content more than {max} times larger than the archive")]
    Ratio {
        /// The entry at which the limit was reached.
        entry: String,
        /// The limit.
        max: u64,
    },
    /// No file can be run.
    #[error("no launch file: {0}")]
    NoLaunchFile(String),
    /// Several files could be run.
    #[error("several launch files: {}; keep one", .0.join(", "))]
    SeveralLaunchFiles(Vec<String>),
    /// The content is for another platform.
    #[error("{entry:?} is for {found}, but the upload is for {wanted}")]
    OtherPlatform {
        /// The file that shows it.
        entry: String,
        /// What it is for.
        found: domain::Platform,
        /// What the upload is for.
        wanted: domain::Platform,
    },
    /// A file that is needed is not there.
    #[error("{entry:?} is named by {by:?} but is missing")]
    Missing {
        /// The missing file.
        entry: String,
        /// The file that names it.
        by: String,
    },
    /// A file is not what its name says.
    #[error("{entry:?}: {why}")]
    Content {
        /// The file.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
}
