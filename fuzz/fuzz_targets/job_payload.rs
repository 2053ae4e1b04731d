//! This file's job is to fuzz the stored payload of jobs.

/// Any text is a payload or refused.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        db::foreign::job_payload(text);
    }
}
