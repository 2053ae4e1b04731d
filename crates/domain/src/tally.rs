//! This file's job is to define what is counted of what devices do.

use crate::bundle::Coding;
use crate::error::Invalid;
use crate::hash::Sha256;
use crate::id::{AppId, ReleaseId};
use crate::name::ChannelName;
use crate::snapshot::is_delta_format;
use crate::telemetry::{Event, EventKind};
use crate::text_enum::text_enum;
use std::fmt::{Display, Formatter};
use std::str::FromStr;
use std::sync::Arc;

const EVENT: &str = "event-";
const LAUNCH: &str = "launch-";
const PATCH: &str = "patch-";

text_enum! {
    /// What a device was told when it asked for an update.
    pub enum CheckResult {
        /// A release.
        Offered => "check-offered",
        /// To go back to the bundle that came with its binary.
        Embedded => "check-embedded",
        /// That nothing is new.
        Nothing => "check-nothing",
    }
}

/// Bytes that devices download for a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Product {
    /// The launch file as it is.
    Launch,
    /// The launch file, compressed.
    Encoded(Coding),
    /// A patch of this format, which makes the launch file.
    Patch(Arc<str>),
    /// Any other file, in any form.
    Asset,
    /// The bundle as one zip file.
    Package,
    /// A zip file with what differs from another bundle.
    PackageDiff,
}

impl Product {
    /// Says whether whoever downloads it has the launch file afterwards, and nothing else.
    #[must_use]
    pub const fn makes_launch_file(&self) -> bool {
        match self {
            Self::Launch | Self::Encoded(_) | Self::Patch(_) => true,
            Self::Asset | Self::Package | Self::PackageDiff => false,
        }
    }
}

impl Display for Product {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Launch => f.write_str("launch"),
            Self::Encoded(coding) => write!(f, "{LAUNCH}{coding}"),
            Self::Patch(format) => write!(f, "{PATCH}{format}"),
            Self::Asset => f.write_str("asset"),
            Self::Package => f.write_str("package"),
            Self::PackageDiff => f.write_str("package-diff"),
        }
    }
}

impl FromStr for Product {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "launch" => return Ok(Self::Launch),
            "asset" => return Ok(Self::Asset),
            "package" => return Ok(Self::Package),
            "package-diff" => return Ok(Self::PackageDiff),
            _ => {}
        }
        if let Some(coding) = text.strip_prefix(LAUNCH) {
            return coding.parse().map(Self::Encoded);
        }
        let format = text.strip_prefix(PATCH).filter(|format| is_delta_format(format));
        format.map(|format| Self::Patch(format.into())).ok_or(Invalid::new("Product", "is not one of the known values"))
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Update checks that were answered.
    Check(CheckResult),
    /// Events. An edge counts those that it has no room for; the control plane adds those that it gets one by one.
    Event(EventKind),
    /// Downloads that were begun, and the bytes that were sent for them.
    Served(Product),
}

impl Display for Measure {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Check(result) => result.fmt(f),
            Self::Event(kind) => write!(f, "{EVENT}{kind}"),
            Self::Served(product) => product.fmt(f),
        }
    }
}

impl FromStr for Measure {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(kind) = text.strip_prefix(EVENT) {
            return kind.parse().map(Self::Event);
        }
        text.parse().map(Self::Check).or_else(|_| text.parse().map(Self::Served))
    }
}

/// What a number is about. Parts that it does not depend on are absent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TallyKey {
    /// The app.
    pub app: AppId,
    /// The channel that the devices follow.
    pub channel: Option<ChannelName>,
    /// The release that they were offered, or that something happened to.
    pub release: Option<ReleaseId>,
    /// The bundle that they downloaded.
    pub bundle: Option<Sha256>,
    /// What is counted.
    pub measure: Measure,
}

impl TallyKey {
    /// Returns what an event is counted under.
    #[must_use]
    pub fn of_event(event: &Event) -> Self {
        let Event { app, channel, release, kind, .. } = event;
        let (app, channel, release) = (app.clone(), Some(channel.clone()), release.clone());
        Self { app, channel, release, bundle: None, measure: Measure::Event(*kind) }
    }
}

/// How much was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How often it happened.
    pub times: u64,
    /// Bytes that went with it.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    /// Numbers stop at their end; they do not begin anew.
    fn add_assign(&mut self, other: Self) {
        self.times = self.times.saturating_add(other.times);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_is_read_back_from_its_text() {
        let checks = CheckResult::ALL.iter().map(|result| Measure::Check(*result));
        let events = EventKind::ALL.iter().map(|kind| Measure::Event(*kind));
        let encoded = Coding::ALL.iter().map(|coding| Product::Encoded(*coding));
        let others = [Product::Launch, Product::Asset, Product::Package, Product::PackageDiff];
        let products = others.into_iter().chain(encoded).chain([Product::Patch("hbc1".into())]);
        let all: Vec<Measure> = checks.chain(events).chain(products.map(Measure::Served)).collect();
        let texts: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), all.len(), "{texts:?}");
        for measure in all {
            assert_eq!(measure.to_string().parse(), Ok(measure));
        }
    }

    #[test]
    fn other_texts_are_no_measures() {
        for text in ["", "event-", "event-exploded", "launch-", "launch-lzma", "patch-", "patch-a b", "check"] {
            assert!(text.parse::<Measure>().is_err(), "{text}");
        }
        assert!(format!("patch-{}", "a".repeat(33)).parse::<Measure>().is_err());
    }
}
