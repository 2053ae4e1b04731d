//! This file's job is to fuzz API keys.

use control_plane::ApiKey;

/// A well-formed key is kept as it is, and its public part is its beginning.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(key) = ApiKey::parse(text) {
        assert!(key.expose() == text && text.starts_with(key.public_id()));
    }
}
