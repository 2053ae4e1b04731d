//! This file's job is to fuzz device tokens.

/// No text is a valid token unless our key signed it.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        edge_proxy::foreign::token(text);
    }
}
