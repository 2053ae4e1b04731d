//! This file's job is to fuzz the headers that owners define for their Expo clients.

use domain::expo::{AssetRequestHeaders, ServerDefinedHeaders};

/// What is taken is one line, has one form, and says nothing about the connection; both kinds agree on that.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(headers) = text.parse::<ServerDefinedHeaders>() {
        let again: ServerDefinedHeaders = headers.as_str().parse().expect("what is written can be read");
        assert_eq!(again, headers);
        assert!(headers.as_str().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    }
    if let Ok(headers) = text.parse::<AssetRequestHeaders>() {
        assert!(text.parse::<ServerDefinedHeaders>().is_ok());
        for (name, value) in headers.headers() {
            assert!(name != "host" && !name.starts_with("expo-") && !name.starts_with("content-"), "{name}");
            assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }
}
