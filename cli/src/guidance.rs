//! This file's job is to say what to do next after a failure.

use crate::error::{Error, Refusal};
use proto::v1::Reason;

/// Returns one sentence with the next step, or nothing when the message says it all.
#[must_use]
pub fn next_step(error: &Error) -> Option<String> {
    let text = match error {
        Error::Usage(_) | Error::Answer(_) | Error::File { .. } => return None,
        Error::NotLoggedIn => "Run `aloft login --server URL`, or set ALOFT_SERVER and ALOFT_API_KEY.".to_owned(),
        Error::Settings { .. } => "Correct the file, or remove it and run `aloft login` again.".to_owned(),
        Error::Content(_) => "Build the bundle again and give its file, its folder or its zip.".to_owned(),
        Error::Unreachable { server, .. } => {
            format!("Is the server running, and is {server} its address? Change it with `aloft login --server URL`.")
        }
        Error::AuditBroken(_) => {
            "Compare with an earlier export: somebody with access to the database changed it.".to_owned()
        }
        Error::UploadFailed { .. } => "Correct what the message names, build the bundle again and repeat.".to_owned(),
        Error::ProcessingTimeout { .. } => {
            "Is a worker running? Repeat the command: bytes that arrived are not sent again.".to_owned()
        }
        Error::Refused(refusal) => return after_refusal(refusal),
    };
    Some(text)
}

fn after_refusal(refusal: &Refusal) -> Option<String> {
    let text = match refusal.reason? {
        Reason::Unspecified | Reason::InvalidField | Reason::BundleInvalid | Reason::RequestIdReused => return None,
        Reason::NotFound => {
            "See what there is: `aloft app list`, `aloft channel list --app APP`, `aloft releases list --app APP --channel CHANNEL`."
        }
        Reason::AlreadyExists => "Use the one that exists, or choose another name.",
        Reason::EtagMismatch => "Somebody changed it meanwhile. Look at it again, then repeat.",
        Reason::CredentialInvalid | Reason::LoginEnded | Reason::LoginDenied => "Run `aloft login --server URL` again.",
        Reason::RoleInsufficient => "`aloft whoami` shows your role. Ask an owner or admin for a key that may do this.",
        Reason::UploadState | Reason::UploadOffset => "Repeat the command: it begins where the server stands.",
        Reason::UploadMismatch => "The files changed while they were sent. Repeat the command.",
        Reason::SizeLimit => return Some(after_size_limit(refusal)),
        Reason::BundleNotReady => "Wait until the upload is processed, then repeat.",
        Reason::BundleRefused => {
            "Repair what the message names. To publish it all the same: `aloft channel update CHANNEL --bundle-policy warn`."
        }
        Reason::SigningKeyLost => {
            "Store the key anew: `aloft expo key set --private-key-path FILE`. Or have the operator configure the old master key again."
        }
        Reason::NoEarlierRelease => {
            "Use `aloft rollback --embedded` to send devices back to the bundle in their binary."
        }
        Reason::SignInFailed
        | Reason::OriginRefused
        | Reason::SignUpClosed
        | Reason::LinkInvalid
        | Reason::CodeInvalid => "This concerns the dashboard: sign in there.",
        Reason::TooManyAttempts => return Some(after_unavailable(refusal)),
        Reason::OrganizationUnclear => "Log in again for the organization that you mean.",
        Reason::TokenRefused => "Compare what the message says with `aloft publisher list`.",
        Reason::LastOwner => "Make somebody else an owner first.",
        Reason::InUse => "Remove what uses it first.",
        Reason::PageTokenInvalid => "Begin the list again.",
        Reason::Unavailable | Reason::RateLimited => return Some(after_unavailable(refusal)),
        Reason::OrganizationSuspended => "Ask whoever runs the server why the organization is suspended.",
        Reason::QuotaExceeded => "Finish or cancel open uploads, or ask the operator for another plan.",
        Reason::KeyEnded => "Make a new key: `aloft key create NAME`.",
        Reason::Internal => "The server's log says more. Repeat the command; report it when it happens again.",
        Reason::CountLimit => "Delete what is not needed any more.",
    };
    Some(text.to_owned())
}

fn after_size_limit(refusal: &Refusal) -> String {
    match refusal.metadata.get("limit") {
        Some(limit) => format!("The limit is {limit}. Send less, or have the operator raise it."),
        None => "Send less, or have the operator raise the limit.".to_owned(),
    }
}

fn after_unavailable(refusal: &Refusal) -> String {
    match refusal.retry_after {
        Some(delay) => format!("Repeat the command in {} seconds.", delay.as_secs().max(1)),
        None => "Repeat the command in a few seconds.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::StatusExt as _;

    #[test]
    fn a_limit_is_named_when_the_server_sends_it() {
        let mut details = tonic_types::ErrorDetails::new();
        details.set_error_info("SIZE_LIMIT", "aloft", [("limit".to_owned(), "100000000".to_owned())]);
        let status = tonic::Status::with_error_details(tonic::Code::ResourceExhausted, "too large", details);
        assert!(next_step(&status.into()).unwrap().contains("100000000"));
    }

    #[test]
    fn without_a_login_the_next_step_is_to_log_in() {
        assert!(next_step(&Error::NotLoggedIn).unwrap().contains("aloft login"));
    }
}
