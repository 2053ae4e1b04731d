//! This file's job is to convert targets and rollouts.

use super::{
    InField as _, InvalidMessage, retreat_from_wire, retreat_to_wire, rollout_state_from_wire, rollout_state_to_wire,
};
use crate::v1;
use domain::Ppm;
use domain::release::Rollout;
use domain::target::Target;

/// Writes a target.
#[must_use]
pub fn target_to_wire(target: &Target) -> v1::Target {
    let rule = match target {
        Target::BinaryRange(range) => v1::target::Rule::BinaryRange(range.as_str().to_owned()),
        Target::RuntimeVersion(runtime) => v1::target::Rule::RuntimeVersion(runtime.as_str().to_owned()),
    };
    v1::Target { rule: Some(rule) }
}

/// Reads a target.
///
/// # Errors
/// When no rule is set, or it cannot be parsed.
pub fn target_from_wire(target: Option<v1::Target>) -> Result<Target, InvalidMessage> {
    match target.and_then(|target| target.rule) {
        Some(v1::target::Rule::BinaryRange(range)) => {
            range.parse().in_field("target.binary_range").map(Target::BinaryRange)
        }
        Some(v1::target::Rule::RuntimeVersion(runtime)) => {
            runtime.parse().in_field("target.runtime_version").map(Target::RuntimeVersion)
        }
        None => Err(InvalidMessage::new("target", "must be set")),
    }
}

/// Writes a rollout.
#[must_use]
pub fn rollout_to_wire(rollout: &Rollout) -> v1::Rollout {
    v1::Rollout {
        state: rollout_state_to_wire(rollout.state).into(),
        share_ppm: rollout.share.get(),
        retreat: retreat_to_wire(rollout.retreat).into(),
        salt: rollout.salt.clone(),
    }
}

/// Reads a rollout.
///
/// # Errors
/// The first field that breaks a rule.
pub fn rollout_from_wire(rollout: Option<v1::Rollout>) -> Result<Rollout, InvalidMessage> {
    let rollout = rollout.ok_or_else(|| InvalidMessage::new("rollout", "must be set"))?;
    Ok(Rollout {
        state: rollout_state_from_wire(rollout.state, "rollout.state")?,
        share: Ppm::new(rollout.share_ppm).in_field("rollout.share_ppm")?,
        retreat: retreat_from_wire(rollout.retreat, "rollout.retreat")?,
        salt: rollout.salt,
    })
}
