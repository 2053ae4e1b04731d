//! This file's job is to fuzz the query of a CodePush client's update check.

/// Any text is a query or refused.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        edge_proxy::foreign::codepush_query(text);
    }
}
