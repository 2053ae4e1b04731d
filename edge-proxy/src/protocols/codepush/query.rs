//! This file's job is to read what a CodePush client says when it asks for an update.

use super::version;
use crate::check::query::unescape;
use crate::cut::cut;
use crate::refusal::Refusal;
use domain::Sha256;
use domain::codepush::DeploymentKey;
use domain::device::DeviceKey;
use domain::target::BinaryVersion;
use std::borrow::Cow;

/// Every parameter at its longest, escaped, fits several times.
const QUERY_MAX_BYTES: usize = 8_192;
/// More parameters than any client sends.
const PARAMETERS_MAX: usize = 64;

/// Each parameter in both spellings.
const NAMES: [[&str; 2]; 6] = [
    ["deploymentKey", "deployment_key"],
    ["appVersion", "app_version"],
    ["packageHash", "package_hash"],
    ["label", "label"],
    ["isCompanion", "is_companion"],
    ["clientUniqueId", "client_unique_id"],
];

const HASH: usize = 2;
const LABEL: usize = 3;

/// What a client says, checked.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) key: DeploymentKey,
    /// As it was written: the client compares the answer with it byte by byte.
    pub(crate) app_version: String,
    pub(crate) version: BinaryVersion,
    /// The hash of the package that it runs; on iOS that of the binary's own files when it runs these.
    pub(crate) package_hash: Option<Sha256>,
    pub(crate) label: Option<String>,
    pub(crate) is_companion: bool,
    pub(crate) client: Option<DeviceKey>,
    /// It names hash and label, and has neither: an older client on the binary's own files. Newer ones leave the names out.
    pub(crate) has_nothing: bool,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > QUERY_MAX_BYTES {
            return Err(invalid("The query is too long."));
        }
        let (values, empty) = collect(text)?;
        let [key, app_version, package_hash, label, is_companion, client] = values;
        let has_nothing = empty[HASH] && empty[LABEL] && package_hash.is_none() && label.is_none();
        let key = key.and_then(|key| key.trim().parse().ok()).ok_or_else(no_key)?;
        let app_version = app_version.ok_or_else(no_version)?;
        let version = version::parse(&app_version).ok_or_else(no_version)?;
        Ok(Self {
            key,
            version,
            app_version: app_version.into_owned(),
            package_hash: package_hash.map(|text| package_hash_of(&text)),
            label: label.map(Cow::into_owned),
            is_companion: is_companion.is_some_and(|text| text.eq_ignore_ascii_case("true")),
            client: client.map(|text| client_of(&text)),
            has_nothing,
        })
    }
}

/// Makes a hash of whatever stands for one: a text that is none is what no package has.
pub(super) fn package_hash_of(text: &str) -> Sha256 {
    text.parse().unwrap_or_else(|_| Sha256::of(text.as_bytes()))
}

/// Makes a device's name of the id that a client chose. Long ones, and those in other alphabets, are hashed.
pub(super) fn client_of(text: &str) -> DeviceKey {
    text.parse().unwrap_or_else(|_| {
        Sha256::of(text.as_bytes()).to_hex().parse().expect("64 hexadecimal digits are a device's name")
    })
}

/// The values, and which names stood there without one.
type Collected<'a> = ([Option<Cow<'a, str>>; NAMES.len()], [bool; NAMES.len()]);

/// Older clients send parameters without values: empty means absent.
fn collect(text: &str) -> Result<Collected<'_>, Refusal> {
    let (mut values, mut empty) = ([const { None }; NAMES.len()], [false; NAMES.len()]);
    for (count, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count >= PARAMETERS_MAX {
            return Err(invalid("The query has too many parameters."));
        }
        let (name, value) = cut(pair, b'=');
        let Some(index) = NAMES.iter().position(|known| known.contains(&name)) else { continue };
        let value = unescape(name, value.unwrap_or_default())?;
        if value.is_empty() {
            empty[index] = true;
            continue;
        }
        if values[index].as_ref().is_some_and(|other| *other != value) {
            return Err(invalid("The query says one thing twice."));
        }
        values[index] = Some(value);
    }
    Ok((values, empty))
}

fn invalid(message: &'static str) -> Refusal {
    Refusal::malformed("query-invalid", message)
}

fn no_key() -> Refusal {
    invalid("An update check must include a valid deployment key: 10 to 100 of A-Z, a-z, 0-9, '-' and '_'.")
}

fn no_version() -> Refusal {
    invalid("An update check must include a binary version that conforms to the semver standard (e.g. '1.0.0').")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "deploymentKey=deployment-key&appVersion=1.0.0";

    #[test]
    fn both_spellings_are_understood_and_empty_is_absent() {
        let old = Query::parse(&format!("{GOOD}&packageHash=&isCompanion=&label=&clientUniqueId=phone")).unwrap();
        let new = Query::parse("deployment_key=%20deployment-key%09&app_version=1.0.0&client_unique_id=phone").unwrap();
        assert!(old.has_nothing && !new.has_nothing);
        let same = Query { has_nothing: false, ..old.clone() };
        assert_eq!(format!("{same:?}"), format!("{new:?}"));
        assert_eq!((old.package_hash, old.label, old.is_companion), (None, None, false));
        let rich =
            Query::parse("deployment_key=deployment-key&app_version=v1.0.0-a%2Bb&label=v3&is_companion=TRUE").unwrap();
        assert_eq!(
            (rich.app_version.as_str(), rich.label.as_deref(), rich.is_companion),
            ("v1.0.0-a+b", Some("v3"), true)
        );
        assert!(rich.client.is_none());
    }

    #[test]
    fn ids_in_any_alphabet_are_names() {
        assert_eq!(client_of("phone").as_str(), "phone");
        for odd in ["ユーザー", "😀", "a b", &"x".repeat(500)] {
            assert_eq!(client_of(odd).as_str().len(), 64);
        }
    }

    #[test]
    fn every_mistake_is_named() {
        let long = format!("{GOOD}&label={}", "v".repeat(64 * 1_024));
        let many = format!("{GOOD}{}", "&x=1".repeat(100));
        for (text, part) in [
            ("", "deployment key"),
            ("deploymentKey=short&appVersion=1.0.0", "deployment key"),
            ("deploymentKey=has%3Acolon%3Ainside&appVersion=1.0.0", "deployment key"),
            ("deploymentKey=deployment-key", "binary version"),
            ("deploymentKey=deployment-key&appVersion=abc", "binary version"),
            (&format!("{GOOD}&deployment_key=another-key"), "twice"),
            (&format!("{GOOD}&label=%f"), "escape"),
            (&format!("{GOOD}&label=%ff"), "UTF-8"),
            (&long, "too long"),
            (&many, "too many"),
        ] {
            let refusal = Query::parse(text).unwrap_err();
            assert_eq!(refusal.status, 400);
            assert!(format!("{refusal:?}").contains(part), "{refusal:?}");
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_parsing_panic(text in ".{0,300}", tail in "[&=%a-z0-9+,_]{0,80}") {
            let _ = Query::parse(&text);
            let _ = Query::parse(&format!("{GOOD}&{tail}"));
        }
    }
}
