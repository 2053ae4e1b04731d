//! This file's job is to say what a device would get now, and why.

use crate::app::{lookup, pins};
use crate::error::{Error, Result};
use crate::names::{self, ChannelPath};
use db::{DbConn, Scope};
use domain::decide::{Decision, Step, UpdateCheck, explain};
use domain::snapshot::ChannelSnapshot;
use proto::v1;

/// A checked request.
#[derive(Debug, Clone)]
pub struct Question {
    channel: ChannelPath,
    check: UpdateCheck,
}

/// The decision with everything that it was made from.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The channel at the moment of the decision.
    pub snapshot: ChannelSnapshot,
    /// What the device gets.
    pub decision: Decision,
    /// Each release that was looked at, newest first.
    pub steps: Vec<Step>,
}

impl Question {
    /// Checks a request.
    ///
    /// # Errors
    /// Invalid argument that names the field.
    pub fn new(request: &v1::ExplainRequest) -> Result<Self> {
        let binary = Some(&request.binary_version).filter(|text| !text.is_empty());
        let runtime = Some(&request.runtime_version).filter(|text| !text.is_empty());
        let check = UpdateCheck {
            device: pins::device("device", &request.device)?,
            platform: proto::convert::platform_from_wire(request.platform, "platform")?,
            binary_version: binary.map(|text| text.parse()).transpose().map_err(Error::in_field("binary_version"))?,
            runtime_version: runtime
                .map(|text| text.parse())
                .transpose()
                .map_err(Error::in_field("runtime_version"))?,
            current: proto::convert::optional_sha256_from_wire(&request.current_bundle, "current_bundle")?,
        };
        Ok(Self { channel: names::channel("channel", &request.channel)?, check })
    }
}

/// Decides as an edge would that has the newest snapshot.
///
/// # Errors
/// Not found when there is no such channel.
pub fn answer(conn: &mut DbConn, scope: &Scope, question: &Question) -> Result<Explanation> {
    let channel = lookup::channel(conn, scope, &question.channel)?;
    let snapshot = db::snapshots::load(conn, &channel.key())?.ok_or_else(|| Error::not_found("channel"))?;
    let (decision, steps) = explain(&snapshot, &question.check);
    Ok(Explanation { snapshot, decision, steps })
}
