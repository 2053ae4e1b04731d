//! This file's job is to fuzz resource names.

/// Any text is a name or refused.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        control_plane::foreign::resource_name(text);
    }
}
