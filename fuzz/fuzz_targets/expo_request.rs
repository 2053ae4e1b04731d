//! This file's job is to fuzz what Expo clients say.

/// Any path with any headers is understood or refused.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        edge_proxy::foreign::expo(text);
    }
}
