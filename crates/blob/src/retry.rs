//! This file's job is to try requests again that a passing fault stopped.

use crate::error::Error;
use std::time::Duration;

/// With the pauses below, a service that restarts within 2 s is not noticed, and a dead one is reported after about 2 s.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_500)];

/// Runs the request up to four times while it fails with an error that waiting can heal. Only for requests that may run twice.
pub(crate) async fn retry<T, F>(mut request: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for pause in PAUSES {
        match request().await {
            Err(error) if can_heal(&error) => {
                tracing::debug!(%error, "the store is asked again");
                tokio::time::sleep(jittered(pause)).await;
            }
            result => return result,
        }
    }
    request().await
}

/// A short answer is a connection that broke; refused credentials stay refused.
fn can_heal(error: &Error) -> bool {
    match error {
        Error::Unavailable { .. } | Error::Short { .. } => true,
        Error::Location { .. }
        | Error::NotFound { .. }
        | Error::WrongBytes { .. }
        | Error::TooLarge { .. }
        | Error::Full { .. }
        | Error::Refused { .. }
        | Error::Failed { .. }
        | Error::Source(_) => false,
    }
}

/// Spreads the pauses of many clients by up to a quarter.
fn jittered(pause: Duration) -> Duration {
    let quarter_us = u64::try_from(pause.as_micros() / 4).unwrap_or(0);
    pause + Duration::from_micros(runtime::random::below(quarter_us + 1))
}
