//! This file's job is to read what an Expo client says, strictly.
//!
//! Everything is in headers. Development clients write some of it into the query instead, which then counts.

use super::accept::{self, Form};
use crate::cut::cut;
use crate::refusal::Refusal;
use domain::Platform;
use domain::device::DeviceKey;
use domain::error::Invalid;
use domain::expo::UpdateId;
use domain::id::DeviceId;
use domain::snapshot::ChannelKey;
use domain::target::RuntimeVersion;
use domain::telemetry::EVENT_DETAIL_MAX_BYTES;
use http::{HeaderMap, Request};
use percent_encoding::percent_decode_str;
use sfv::{BareItem, ListEntry, Parser};
use std::borrow::Cow;

/// A channel's and a runtime version's names, escaped, fit.
const QUERY_MAX_BYTES: usize = 2_048;
/// Clients list five failed updates in 198 bytes; their own parameters are short texts.
const STRUCTURED_MAX_BYTES: usize = 4_096;
/// Clients list five.
const FAILED_MAX: usize = 16;

/// The version of the protocol that the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Knows no directives: there must be a manifest.
    Zero,
    /// Today's.
    One,
}

impl Version {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
        }
    }
}

/// An installation of an app, by the UUID that its client made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(UpdateId);

impl ClientId {
    /// Returns the name under which it is bucketed and pinned: the UUID in lower case, which iOS writes in upper case.
    pub(crate) fn key(self) -> Result<DeviceKey, Invalid> {
        self.0.to_string().parse()
    }

    /// Returns its id in telemetry: the same bits.
    pub(crate) fn id(self) -> DeviceId {
        DeviceId::from_bits(self.0.bits())
    }
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) key: ChannelKey,
    pub(crate) version: Version,
    pub(crate) platform: Platform,
    pub(crate) runtime: RuntimeVersion,
    pub(crate) form: Form,
    /// None when it says no id; then it gets what everybody gets.
    pub(crate) device: Option<ClientId>,
    /// What it runs.
    pub(crate) current: Option<UpdateId>,
    /// What came with its binary.
    pub(crate) embedded: Option<UpdateId>,
    /// What it tried and will not run again, newest first.
    pub(crate) failed: Vec<UpdateId>,
    /// Whether it takes signed answers only.
    pub(crate) expects_signature: bool,
    /// The last error that ended the app.
    pub(crate) fatal_error: Option<String>,
}

impl Asked {
    /// Reads a request for what is new.
    pub(crate) fn read<B>(request: &Request<B>, app: &str, channel: Option<&str>) -> Result<Self, Refusal> {
        let headers = request.headers();
        let version = version(once(headers, "expo-protocol-version")?)?;
        let form = accept::choose(once(headers, "accept")?)?.ok_or_else(not_acceptable)?;
        let query = Query::read(request.uri().query().unwrap_or_default())?;
        let said = |name: &str, in_query: Option<Cow<'_, str>>| match in_query {
            Some(value) => Ok(value.into_owned()),
            None => once(headers, name)?.map(str::to_owned).ok_or_else(|| invalid(name, "must be given")),
        };
        let channel = match channel {
            Some(channel) => channel.to_owned(),
            None => said("expo-channel-name", query.channel)?,
        };
        dictionary(headers, "expo-extra-params")?;
        let runtime = said("expo-runtime-version", query.runtime)?;
        Ok(Self {
            key: ChannelKey { app: parsed("app", app)?, channel: parsed("expo-channel-name", &channel)? },
            version,
            platform: parsed("expo-platform", &said("expo-platform", query.platform)?)?,
            runtime: parsed("expo-runtime-version", &runtime)?,
            form,
            device: update_id(headers, "eas-client-id")?.map(ClientId),
            current: update_id(headers, CURRENT)?,
            embedded: update_id(headers, EMBEDDED)?,
            failed: failed(headers)?,
            expects_signature: dictionary(headers, "expo-expect-signature")?,
            fatal_error: fatal_error(headers),
        })
    }
}

/// The header that says what a client runs.
pub(super) const CURRENT: &str = "expo-current-update-id";
/// The header that says what came with its binary.
pub(super) const EMBEDDED: &str = "expo-embedded-update-id";

/// What development clients write into the query.
#[derive(Default)]
struct Query<'a> {
    channel: Option<Cow<'a, str>>,
    runtime: Option<Cow<'a, str>>,
    platform: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > QUERY_MAX_BYTES {
            return Err(invalid("query", format!("must have at most {QUERY_MAX_BYTES} bytes")));
        }
        let (mut query, mut rest) = (Self::default(), Some(text));
        while let Some(text) = rest {
            let (pair, behind) = cut(text, b'&');
            rest = behind;
            let (name, value) = cut(pair, b'=');
            let place = match name {
                "channel-name" => &mut query.channel,
                "runtime-version" => &mut query.runtime,
                "platform" => &mut query.platform,
                // Apps may have parameters of their own.
                _ => continue,
            };
            let decoded = percent_decode_str(value.unwrap_or_default()).decode_utf8();
            if place.replace(decoded.map_err(|_| invalid(name, "must be UTF-8"))?).is_some() {
                return Err(invalid(name, "must be there once"));
            }
        }
        Ok(query)
    }
}

/// Says that what a client sent is malformed.
fn invalid(name: &str, rule: impl std::fmt::Display) -> Refusal {
    Refusal::malformed("request-invalid", format!("{name} {rule}"))
}

const fn not_acceptable() -> Refusal {
    let message = "there are multipart/mixed, application/expo+json and application/json";
    Refusal::not_acceptable("form-unknown", message)
}

fn parsed<T: std::str::FromStr<Err = Invalid>>(name: &str, text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error: Invalid| invalid(name, error.rule))
}

/// Returns the header's value; none when it is absent or empty.
pub(super) fn once<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid(name, "must be there once"));
    }
    let value = value.to_str().map_err(|_| invalid(name, "must be visible ASCII characters"))?;
    Ok(Some(value.trim()).filter(|value| !value.is_empty()))
}

/// Returns the id in a header.
pub(super) fn update_id(headers: &HeaderMap, name: &str) -> Result<Option<UpdateId>, Refusal> {
    once(headers, name)?.map(|text| parsed(name, text)).transpose()
}

/// Clients before protocol 1 say nothing.
fn version(text: Option<&str>) -> Result<Version, Refusal> {
    match text {
        None | Some("0") => Ok(Version::Zero),
        Some("1") => Ok(Version::One),
        Some(other) if !other.is_empty() && other.len() < 4 && other.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Refusal::not_acceptable("protocol-unknown", "there are the protocol versions 0 and 1"))
        }
        Some(_) => Err(invalid("expo-protocol-version", "must be a number")),
    }
}

fn structured<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(text) = once(headers, name)? else { return Ok(None) };
    if text.len() > STRUCTURED_MAX_BYTES {
        return Err(invalid(name, format!("must have at most {STRUCTURED_MAX_BYTES} bytes")));
    }
    Ok(Some(text))
}

/// Checks a header that is a dictionary; says whether it is there.
fn dictionary(headers: &HeaderMap, name: &str) -> Result<bool, Refusal> {
    let Some(text) = structured(headers, name)? else { return Ok(false) };
    let parsed = Parser::parse_dictionary(text.as_bytes());
    parsed.map(|dictionary| !dictionary.is_empty()).map_err(|_| invalid(name, "must be a dictionary as RFC 8941 says"))
}

fn failed(headers: &HeaderMap) -> Result<Vec<UpdateId>, Refusal> {
    const NAME: &str = "expo-recent-failed-update-ids";
    let Some(text) = structured(headers, NAME)? else { return Ok(Vec::new()) };
    let list = Parser::parse_list(text.as_bytes()).map_err(|_| invalid(NAME, "must be a list as RFC 8941 says"))?;
    if list.len() > FAILED_MAX {
        return Err(invalid(NAME, format!("must have at most {FAILED_MAX} members")));
    }
    let id = |entry: &ListEntry| match entry {
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::String(text) => parsed(NAME, text),
            BareItem::Token(_)
            | BareItem::Integer(_)
            | BareItem::Decimal(_)
            | BareItem::Boolean(_)
            | BareItem::ByteSeq(_) => Err(invalid(NAME, "must have texts as its members")),
        },
        ListEntry::InnerList(_) => Err(invalid(NAME, "must have texts as its members")),
    };
    list.iter().map(id).collect()
}

/// Returns the head of an error's text, which may hold any bytes.
fn fatal_error(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get("expo-fatal-error")?.as_bytes());
    let end = (0..=EVENT_DETAIL_MAX_BYTES.min(text.len())).rev().find(|&end| text.is_char_boundary(end))?;
    Some(text[..end].to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
