//! This file's job is to name what can be done with uploads.

mod cancel;
mod create;
mod progress;
mod turns;

pub use cancel::cancel;
pub use create::{NewUpload, create};
pub use progress::{Piece, append, resume, take_turn};
pub use turns::{Turn, Turns};

use crate::error::Error;
use db::UploadState;
use db::uploads::Upload;
use domain::ErrorKind;
use proto::v1::Reason;
use serde::{Deserialize, Serialize};

/// A file of the bundle that is not in the archive, as the `known_files` column holds it: a JSON array of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFile {
    /// Its path in the bundle.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: domain::Sha256,
    /// Its size.
    pub size_bytes: u64,
}

/// The upload is not in a state that allows this.
fn wrong_state(upload: &Upload) -> Error {
    let message = match upload.state {
        UploadState::Receiving => "the upload still waits for bytes",
        UploadState::Queued | UploadState::Processing | UploadState::Ready => "the upload has all its bytes",
        UploadState::Failed => "the upload was refused: begin a new one",
        UploadState::Cancelled => "the upload was given up: begin a new one",
    };
    Error::refused(ErrorKind::FailedPrecondition, Reason::UploadState, message)
        .with("state", upload.state)
        .with("received_bytes", upload.received_bytes)
}
