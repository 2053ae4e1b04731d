//! This file's job is to give each kind of failure its exit code.

use domain::ErrorKind;

/// What scripts can tell apart without reading a message. Stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A fault that none of the others names.
    Other,
    /// The command line or a value in it is wrong.
    Usage,
    /// The thing does not exist, or the key may not see it.
    NotFound,
    /// No valid key, or the key's role does not allow this.
    Authorization,
    /// The thing exists already, was changed meanwhile, or is in a state that does not allow this.
    Conflict,
    /// A limit or quota was reached.
    Limit,
    /// The server cannot be reached or is not ready; trying again later helps.
    Unavailable,
    /// The content was refused.
    RefusedContent,
}

/// The table for `aloft --help`.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  another fault
  2  the command line or a value in it is wrong
  3  not found, or the key may not see it
  4  no valid API key, or its role does not allow this
  5  conflict: exists already, changed meanwhile, or not possible in this state
  6  a limit was reached
  7  the server is away; trying again later helps
  8  the content was refused

Environment:
  ALOFT_SERVER, ALOFT_API_KEY   used instead of what `aloft login` stored
  ALOFT_APP, ALOFT_CHANNEL      used when --app or --channel is not given
  ALOFT_ID_TOKEN                the token of a workflow, exchanged for a key when there is none";

impl Exit {
    /// Returns the exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Authorization => 4,
            Self::Conflict => 5,
            Self::Limit => 6,
            Self::Unavailable => 7,
            Self::RefusedContent => 8,
        }
    }

    /// Returns the name that JSON errors carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Authorization => "authorization",
            Self::Conflict => "conflict",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
            Self::RefusedContent => "refused-content",
        }
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidArgument => Self::Usage,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists | ErrorKind::FailedPrecondition | ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => Self::Authorization,
            ErrorKind::ResourceExhausted => Self::Limit,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::DataLoss => Self::RefusedContent,
            ErrorKind::Internal => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_text_lists_every_code_once() {
        let all = [
            Exit::Other,
            Exit::Usage,
            Exit::NotFound,
            Exit::Authorization,
            Exit::Conflict,
            Exit::Limit,
            Exit::Unavailable,
            Exit::RefusedContent,
        ];
        for (index, exit) in all.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), index + 1);
            assert_eq!(HELP.matches(&format!("\n  {}  ", exit.code())).count(), 1, "{}", exit.as_str());
        }
    }
}
