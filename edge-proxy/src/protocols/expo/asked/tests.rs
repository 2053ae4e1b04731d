//! This file's job is to state which requests of Expo clients are understood.

use super::*;
use proptest::prelude::*;

const APP: &str = "app_01j9zzzzzzzzzzzzzzzzzzzzzz";
const ID: &str = "0192f0a1-b2c3-d4e5-f607-18293a4b5c6d";

/// What a real client on Android sends.
const REAL: [(&str, &str); 12] = [
    ("accept", "multipart/mixed,application/expo+json,application/json"),
    ("expo-platform", "android"),
    ("expo-protocol-version", "1"),
    ("expo-api-version", "1"),
    ("expo-updates-environment", "BARE"),
    ("expo-json-error", "true"),
    ("eas-client-id", ID),
    ("expo-runtime-version", "1.0.0"),
    ("expo-current-update-id", ID),
    ("expo-channel-name", "production"),
    ("expo-recent-failed-update-ids", "\"0192f0a1-b2c3-d4e5-f607-18293a4b5c6e\""),
    ("expo-expect-signature", "sig, keyid=\"main\", alg=\"rsa-v1_5-sha256\""),
];

fn read(query: &str, headers: &[(&str, &str)]) -> Result<Asked, Refusal> {
    let mut request = Request::builder().uri(format!("/v1/expo/{APP}{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Asked::read(&request.body(()).unwrap(), APP, None)
}

fn changed(name: &str, value: Option<&str>) -> Result<Asked, Refusal> {
    let mut headers: Vec<(&str, &str)> = REAL.into_iter().filter(|(known, _)| *known != name).collect();
    headers.extend(value.map(|value| (name, value)));
    read("", &headers)
}

#[test]
fn what_a_real_client_sends_is_understood() {
    let asked = read("", &REAL).unwrap();
    assert_eq!((asked.version, asked.form, asked.platform), (Version::One, Form::Multipart, Platform::Android));
    assert_eq!(asked.current, Some(ID.parse().unwrap()));
    assert_eq!(asked.failed.len(), 1);
    assert!(asked.expects_signature);
    assert_eq!(asked.key.channel.as_str(), "production");
}

#[test]
fn an_id_in_upper_case_is_the_same_device() {
    let device = |id: &str| changed("eas-client-id", Some(id)).unwrap().device.unwrap();
    assert_eq!(device(&ID.to_uppercase()), device(ID));
    assert_eq!(device(&ID.to_uppercase()).key().unwrap().as_str(), ID);
    assert_eq!(changed("eas-client-id", Some("")).unwrap().device, None);
}

#[test]
fn a_query_counts_more_than_headers() {
    let asked = read("?channel-name=qa&runtime-version=a%2Bb&platform=ios&x=%zz", &REAL).unwrap();
    assert_eq!(asked.key.channel.as_str(), "qa");
    assert_eq!((asked.runtime.as_str(), asked.platform), ("a+b", Platform::Ios));
}

#[test]
fn old_clients_say_no_version() {
    assert_eq!(changed("expo-protocol-version", None).unwrap().version, Version::Zero);
    assert_eq!(changed("expo-protocol-version", Some("0")).unwrap().version, Version::Zero);
}

#[test]
fn every_mistake_has_its_status_and_name() {
    let bomb = format!("({}", "(".repeat(3_000));
    let many = [r#""x""#; 1_000].join(",");
    for (name, value, status, part) in [
        ("expo-platform", Some("windows"), 400, "expo-platform"),
        ("expo-platform", None, 400, "expo-platform must be given"),
        ("expo-runtime-version", None, 400, "expo-runtime-version must be given"),
        ("expo-runtime-version", Some("a b"), 400, "visible ASCII"),
        ("expo-channel-name", None, 400, "expo-channel-name must be given"),
        ("expo-channel-name", Some("../x"), 400, "expo-channel-name"),
        ("expo-protocol-version", Some("2"), 406, "protocol-unknown"),
        ("expo-protocol-version", Some("one"), 400, "number"),
        ("eas-client-id", Some("me"), 400, "UUID"),
        ("expo-current-update-id", Some("x"), 400, "expo-current-update-id"),
        ("expo-embedded-update-id", Some("\"x\""), 400, "expo-embedded-update-id"),
        ("expo-recent-failed-update-ids", Some("a b"), 400, "RFC 8941"),
        ("expo-recent-failed-update-ids", Some("1, 2"), 400, "texts"),
        ("expo-recent-failed-update-ids", Some("(\"a\")"), 400, "texts"),
        ("expo-recent-failed-update-ids", Some(&bomb), 400, "RFC 8941"),
        ("expo-recent-failed-update-ids", Some(&many), 400, "members"),
        ("expo-extra-params", Some("A=1"), 400, "expo-extra-params"),
        ("expo-extra-params", Some(&"a".repeat(5_000)), 400, "4096 bytes"),
        ("expo-expect-signature", Some("sig=:"), 400, "expo-expect-signature"),
        ("accept", Some("text/html"), 406, "form-unknown"),
    ] {
        let refusal = changed(name, value).unwrap_err();
        assert_eq!(refusal.status, status, "{name}: {value:?}");
        assert!(format!("{refusal:?}").contains(part), "{name}: {refusal:?}");
    }
    let twice: Vec<_> = REAL.into_iter().chain([("expo-platform", "ios")]).collect();
    assert!(format!("{:?}", read("", &twice).unwrap_err()).contains("once"));
    assert!(read(&format!("?x={}", "a".repeat(3_000)), &REAL).is_err());
    assert!(read("?platform=ios&platform=ios", &REAL).is_err());
    assert!(read("?platform=%ff", &REAL).is_err());
}

#[test]
fn an_error_is_cut_between_characters() {
    let long = "é".repeat(EVENT_DETAIL_MAX_BYTES);
    let mut headers = HeaderMap::new();
    headers.insert("expo-fatal-error", http::HeaderValue::from_bytes(long.as_bytes()).unwrap());
    let text = fatal_error(&headers).unwrap();
    assert_eq!(text.len(), EVENT_DETAIL_MAX_BYTES);
}

proptest! {
    #[test]
    fn no_header_makes_reading_panic(name in 0_usize..REAL.len(), value in "[ -~]{0,120}") {
        let _ = changed(REAL[name].0, Some(&value));
    }
}
