//! This file's job is to check headers that an app's owner has its Expo clients send.
//!
//! Owners write them as dictionaries of structured fields (RFC 8941), which is also how clients are told. What has a meaning to edges, to the
//! protocol or to HTTP itself is refused, so that a client sends nothing with them that it could not say before.

use crate::error::Invalid;
use sfv::{BareItem, Dictionary, ListEntry, Parser, SerializeValue as _};
use std::collections::BTreeMap;

/// Clients send all of them with every check, beside a kilobyte of the protocol's own.
pub const SERVER_DEFINED_MAX_BYTES: usize = 1_024;
/// They are sent to clients once for each asset of an update, of which there may be thousands.
pub const ASSET_REQUEST_MAX_BYTES: usize = 512;
/// Nobody needs more; every server on the way has a bound on how many headers a request has.
pub const CLIENT_HEADERS_MAX: usize = 16;

/// Names that mean something already to who reads requests: edges, proxies before them, HTTP.
const RESERVED: [&str; 24] = [
    "a-im",
    "available-dictionary",
    "cache-control",
    "connection",
    "date",
    "dictionary-id",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "pragma",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
    "x-request-id",
];
/// The beginnings of whole families of such names.
const RESERVED_BEGINNINGS: [&str; 10] =
    ["accept", "access-control-", "aloft-", "content-", "eas-", "expo-", "if-", "proxy-", "sec-", "x-forwarded-"];

/// Headers that clients keep and send with later checks, until they are sent others: the value of `expo-server-defined-headers`. Empty when
/// clients are to forget what they keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerDefinedHeaders(String);

/// Headers that clients send when they fetch the assets of an update; may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssetRequestHeaders {
    text: String,
    headers: BTreeMap<String, String>,
}

impl ServerDefinedHeaders {
    /// Returns the dictionary as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AssetRequestHeaders {
    /// Returns the headers by their names.
    #[must_use]
    pub const fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }
}

impl std::str::FromStr for ServerDefinedHeaders {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const KIND: &str = "ServerDefinedHeaders";
        if text.len() > SERVER_DEFINED_MAX_BYTES {
            return Err(Invalid::new(KIND, "must have at most 1024 bytes"));
        }
        written(KIND, &read(KIND, text)?).map(Self)
    }
}

impl std::str::FromStr for AssetRequestHeaders {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const KIND: &str = "AssetRequestHeaders";
        if text.len() > ASSET_REQUEST_MAX_BYTES {
            return Err(Invalid::new(KIND, "must have at most 512 bytes"));
        }
        let dictionary = read(KIND, text)?;
        let header = |(name, entry): (&String, &ListEntry)| match entry {
            ListEntry::Item(item) => Some((name.clone(), item.bare_item.as_str()?.to_owned())),
            ListEntry::InnerList(_) => None,
        };
        let headers = dictionary.iter().map(header).collect::<Option<_>>();
        let headers = headers.ok_or(Invalid::new(KIND, "must have quoted texts as its values"))?;
        Ok(Self { text: written(KIND, &dictionary)?, headers })
    }
}

impl std::fmt::Display for ServerDefinedHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for AssetRequestHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads a dictionary whose members both platforms understand: they drop tokens, bytes and lists without a word.
fn read(kind: &'static str, text: &str) -> Result<Dictionary, Invalid> {
    let fail = |rule| Err(Invalid::new(kind, rule));
    let Ok(dictionary) = Parser::parse_dictionary(text.as_bytes()) else {
        return fail("must be a dictionary as RFC 8941 says, for instance x-ring=\"early\", x-generation=2");
    };
    if dictionary.len() > CLIENT_HEADERS_MAX {
        return fail("must have at most 16 headers");
    }
    for (name, entry) in &dictionary {
        if is_reserved(name) {
            return fail("must have no header that means something to HTTP, to Expo or to edges");
        }
        let is_plain = match entry {
            ListEntry::Item(item) => item.params.is_empty() && is_plain(&item.bare_item),
            ListEntry::InnerList(_) => false,
        };
        if !is_plain {
            return fail("must have quoted texts, numbers and booleans without parameters as its values");
        }
    }
    Ok(dictionary)
}

const fn is_plain(value: &BareItem) -> bool {
    match value {
        BareItem::String(_) | BareItem::Integer(_) | BareItem::Decimal(_) | BareItem::Boolean(_) => true,
        BareItem::Token(_) | BareItem::ByteSeq(_) => false,
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Writes a dictionary in the one form that it has.
fn written(kind: &'static str, dictionary: &Dictionary) -> Result<String, Invalid> {
    if dictionary.is_empty() {
        return Ok(String::new());
    }
    dictionary.serialize_value().map_err(|_| Invalid::new(kind, "must be a dictionary as RFC 8941 says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> &'static str {
        text.parse::<ServerDefinedHeaders>().unwrap_err().rule
    }

    #[test]
    fn a_dictionary_is_kept_in_its_one_form() {
        let headers: ServerDefinedHeaders =
            r#"  x-ring="a \"b\"" ,x-n=2,  x-share=1.5, x-on, x-off=?0"#.parse().unwrap();
        assert_eq!(headers.as_str(), r#"x-ring="a \"b\"", x-n=2, x-share=1.5, x-on, x-off=?0"#);
        assert_eq!(headers.to_string().parse(), Ok(headers));
        assert_eq!("".parse(), Ok(ServerDefinedHeaders::default()));
    }

    #[test]
    fn what_clients_drop_or_misread_is_refused() {
        for bad in ["x-ring=early", "x-ring=:AA==:", "x-ring=(1 2)", "x-ring=\"a\";b"] {
            assert!(rule(bad).starts_with("must have quoted texts"), "{bad}");
        }
        for bad in
            ["X-Ring=\"a\"", "x-ring", "x ring=1", "x-ring=\"a\r\nhost: b\"", "x-ring=\"ü\"", "x-ring=\"a", ",", "é"]
        {
            let is_flag = bad == "x-ring";
            assert_eq!(bad.parse::<ServerDefinedHeaders>().is_ok(), is_flag, "{bad}");
        }
        let many = |count| (0..count).map(|index| format!("x-{index}=1")).collect::<Vec<_>>().join(", ");
        assert!(many(CLIENT_HEADERS_MAX).parse::<ServerDefinedHeaders>().is_ok());
        assert_eq!(rule(&many(CLIENT_HEADERS_MAX + 1)), "must have at most 16 headers");
        let long = |length| format!("x-a=\"{}\"", "y".repeat(length - 6));
        assert!(long(SERVER_DEFINED_MAX_BYTES).parse::<ServerDefinedHeaders>().is_ok());
        assert_eq!(rule(&long(SERVER_DEFINED_MAX_BYTES + 1)), "must have at most 1024 bytes");
        assert!(long(ASSET_REQUEST_MAX_BYTES + 1).parse::<AssetRequestHeaders>().is_err());
    }

    #[test]
    fn no_header_may_mean_something_to_who_reads_requests() {
        for name in [
            "expo-channel-name",
            "expo-fatal-error",
            "eas-client-id",
            "host",
            "content-length",
            "transfer-encoding",
            "accept-encoding",
            "if-none-match",
            "range",
            "a-im",
            "aloft-channel",
            "x-forwarded-for",
        ] {
            assert!(rule(&format!("x-mine=1, {name}=\"1\"")).starts_with("must have no header"), "{name}");
        }
        assert!("authorization=\"Bearer 1\", hostile=1".parse::<ServerDefinedHeaders>().is_ok());
    }

    #[test]
    fn headers_of_assets_are_texts() {
        let headers: AssetRequestHeaders = r#"x-b="2",authorization="Bearer \"1\"""#.parse().unwrap();
        let texts: Vec<_> = headers.headers().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(texts, [("authorization", "Bearer \"1\""), ("x-b", "2")]);
        assert_eq!(headers.to_string().parse(), Ok(headers));
        assert!("x-b=2".parse::<AssetRequestHeaders>().is_err());
        assert!("".parse::<AssetRequestHeaders>().unwrap().headers().is_empty());
    }
}
