//! This file's job is to print what a command found, as text or as one JSON document.

use crate::error::Error;
use crate::guidance;
use serde::Serialize;
use std::fmt::Display;
use std::io::Write as _;

/// What a command has to say: text for people, JSON for programs.
pub trait Report: Send {
    /// Returns the text; lines end with a line feed.
    fn text(&self) -> String;
    /// Returns the JSON document.
    fn json(&self) -> Result<String, serde_json::Error>;
}

impl<T: Serialize + Display + Send> Report for T {
    fn text(&self) -> String {
        self.to_string()
    }

    fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

/// A report of any command.
pub type AnyReport = Box<dyn Report>;

#[derive(Serialize)]
struct ErrorDocument {
    error: ErrorBody,
}

#[derive(Serialize)]
struct ErrorBody {
    kind: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<ErrorField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<String>,
}

#[derive(Serialize)]
struct ErrorField {
    field: String,
    rule: String,
}

/// Prints a report on standard output. A reader that went away, for instance `head`, is no failure.
pub fn print(report: &dyn Report, json: bool) {
    let text =
        if json { report.json().unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")) } else { report.text() };
    write_line(&text);
}

/// Prints an error: with `--json` as the document on standard output, else as text on standard error.
pub fn print_error(error: &Error, json: bool) {
    if json {
        write_line(&error_json(error));
    } else {
        let _ = std::io::stderr().write_all(error_text(error).as_bytes());
    }
}

fn write_line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
    let _ = out.flush();
}

fn fields(error: &Error) -> &[(String, String)] {
    match error {
        Error::Refused(refusal) => &refusal.fields,
        Error::Usage(_)
        | Error::NotLoggedIn
        | Error::Settings { .. }
        | Error::File { .. }
        | Error::Content(_)
        | Error::Unreachable { .. }
        | Error::UploadFailed { .. }
        | Error::ProcessingTimeout { .. }
        | Error::AuditBroken(_)
        | Error::Answer(_) => &[],
    }
}

fn error_text(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    // A message about a single field says its rule already.
    let message = error.to_string();
    for (field, rule) in fields(error).iter().filter(|(_, rule)| !message.contains(rule)) {
        text.push_str(&format!("  {field}: {rule}\n"));
    }
    if let Some(next) = guidance::next_step(error) {
        text.push_str(&format!("next: {next}\n"));
    }
    text
}

fn error_json(error: &Error) -> String {
    let fields = fields(error).iter().map(|(field, rule)| ErrorField { field: field.clone(), rule: rule.clone() });
    let body = ErrorBody {
        kind: error.exit().as_str(),
        exit_code: error.exit().code(),
        reason: error.reason(),
        message: error.to_string(),
        fields: fields.collect(),
        next_step: guidance::next_step(error),
    };
    serde_json::to_string_pretty(&ErrorDocument { error: body }).unwrap_or_else(|_| "{\"error\":{}}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::StatusExt as _;

    #[test]
    fn an_error_document_has_stable_names() {
        let document: serde_json::Value = serde_json::from_str(&error_json(&Error::NotLoggedIn)).unwrap();
        assert_eq!(document["error"]["kind"], "authorization");
        assert_eq!(document["error"]["exit_code"], 4);
        assert!(document["error"]["next_step"].as_str().unwrap().contains("aloft login"));
    }

    #[test]
    fn an_error_text_names_each_bad_field() {
        let mut details = tonic_types::ErrorDetails::new();
        details.add_bad_request_violation("slug", "must be short");
        let error = tonic::Status::with_error_details(tonic::Code::InvalidArgument, "bad request", details).into();
        assert_eq!(error_text(&error), "error: bad request\n  slug: must be short\n");
    }
}
