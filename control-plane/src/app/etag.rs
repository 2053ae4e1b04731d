//! This file's job is to turn revisions into etags and to compare them with what a caller read.

use crate::error::{Error, Result};

/// Returns the etag of a revision.
#[must_use]
pub fn of(revision: u64) -> String {
    format!("r{revision}")
}

/// Checks that the caller's etag, when there is one, is the current one.
///
/// # Errors
/// Conflict when it is not.
pub fn check(etag: &str, revision: u64, what: &'static str) -> Result<()> {
    if etag.is_empty() || etag == of(revision) { Ok(()) } else { Err(Error::etag(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_etag_fits_everything_and_others_fit_exactly() {
        assert!(check("", 3, "app").is_ok());
        assert!(check("r3", 3, "app").is_ok());
        for other in ["r2", "3", "r03", "*"] {
            assert!(check(other, 3, "app").is_err(), "{other}");
        }
    }
}
