//! This file's job is to refuse requests as CodePush's servers do: with a text, or with a list of the fields that are wrong.

use crate::error::Error;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use proto::v1::Reason;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A service refused.
    Status(Box<Status>),
    /// The request breaks a rule of these routes.
    Text(StatusCode, String),
}

impl Refusal {
    /// A field of the request breaks a rule.
    pub(super) fn field(name: &str, rule: &str) -> Self {
        Status::from(Error::field(name, rule)).into()
    }

    /// Something like this is there already, or the state of things does not allow it.
    pub(super) fn conflict(text: &str) -> Self {
        Self::Text(StatusCode::CONFLICT, text.to_owned())
    }

    /// There is no such thing.
    pub(super) fn not_found(what: &'static str) -> Self {
        Status::from(Error::not_found(what)).into()
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Status::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Text(code, text) => (code, text).into_response(),
            Self::Status(status) => of_status(&status),
        }
    }
}

fn of_status(status: &Status) -> Response {
    let code = status_code(status);
    let violations = status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
    let mut response = if violations.is_empty() {
        (code, status.message().to_owned()).into_response()
    } else {
        let wrong = violations.iter().map(|one| json!({ "field": one.field, "message": one.description }));
        (code, Json(wrong.collect::<Vec<_>>())).into_response()
    };
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
    if let Some(seconds) = wait.map(|wait| wait.as_secs().max(1)) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn status_code(status: &Status) -> StatusCode {
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => match proto::error::reason_of(status) {
            Some(Reason::SizeLimit) => StatusCode::PAYLOAD_TOO_LARGE,
            Some(Reason::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::FORBIDDEN,
        },
        Code::Unavailable | Code::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
        Code::Ok | Code::Cancelled | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
