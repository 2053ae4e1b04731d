//! This file's job is to fuzz page tokens.

/// No text is a valid token unless it was written for the list.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        control_plane::foreign::page_token(text);
    }
}
