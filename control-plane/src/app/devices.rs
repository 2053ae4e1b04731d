//! This file's job is to refuse single devices, and to renew what the tokens of all are made with.

use crate::app::{lookup, record};
use crate::context::Change;
use crate::error::{Error, Result};
use crate::names::{self, AppRef};
use db::Tx;
use db::device_revocations::Revocation;
use domain::id::DeviceId;
use domain::snapshot::{REVOKED_DEVICES_MAX, TOKEN_KEYS_MAX, TokenKey};
use domain::{Environment, ErrorKind};
use proto::v1::Reason;

/// Devices belong to an app: a credential for some of its channels, or for test ones, would reach beyond them.
fn check_reach(change: &Change) -> Result<()> {
    let reach = change.caller.scope.reach();
    let is_whole = reach.channels.is_none() && reach.environment != Some(Environment::Test);
    if is_whole { Ok(()) } else { Err(Error::forbidden()) }
}

/// Refuses the device from now on.
///
/// # Errors
/// Resource exhausted when as many devices of the app are revoked as may be.
pub fn revoke(tx: &mut Tx<'_>, change: &Change, app: &AppRef, device: &DeviceId) -> Result<Revocation> {
    check_reach(change)?;
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, app)?;
    let row = Revocation {
        app: app.id.clone(),
        device: device.clone(),
        created_by: change.caller.actor.id.clone(),
        created_at: change.now,
    };
    let stands = db::device_revocations::insert(tx, scope, &row).map_err(|error| match error {
        db::Error::FailedPrecondition { rule } => {
            Error::refused(ErrorKind::ResourceExhausted, Reason::CountLimit, rule).with("limit", REVOKED_DEVICES_MAX)
        }
        other => other.into(),
    })?;
    record::done(tx, change, "RevokeDevice", names::of_app(&app.id), &[("device", device.as_str())])?;
    Ok(stands)
}

/// Takes a revocation back, if there is one.
///
/// # Errors
/// Not found when there is no such app.
pub fn restore(tx: &mut Tx<'_>, change: &Change, app: &AppRef, device: &DeviceId) -> Result<()> {
    check_reach(change)?;
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, app)?;
    if db::device_revocations::delete(tx, scope, &app.id, device, change.now)? {
        record::done(tx, change, "RestoreDevice", names::of_app(&app.id), &[("device", device.as_str())])?;
    }
    Ok(())
}

/// Makes a new secret for device tokens, and retires the earlier ones: all, or those that do not fit into a snapshot any more. Returns
/// the new secret's number.
///
/// # Errors
/// Not found when there is no such app.
pub fn rotate_key(tx: &mut Tx<'_>, change: &Change, app: &AppRef, retire_earlier: bool) -> Result<u32> {
    check_reach(change)?;
    let scope = &change.caller.scope;
    let app = lookup::app(tx, scope, app)?;
    let earlier = db::apps::token_keys(tx, &app.id)?;
    let generation = earlier.first().map_or(1, |newest| newest.generation + 1);
    let key = TokenKey { generation, secret: runtime::random::bytes() };
    db::apps::insert_token_key(tx, scope, &app.id, &key, change.now)?;
    let kept = if retire_earlier { 0 } else { TOKEN_KEYS_MAX - 1 };
    for retired in earlier.iter().skip(kept) {
        db::apps::delete_token_key(tx, scope, &app.id, retired.generation, change.now)?;
    }
    let (number, retires) = (generation.to_string(), retire_earlier.to_string());
    let facts = [("generation", number.as_str()), ("retire_earlier", &retires)];
    record::done(tx, change, "RotateDeviceKey", names::of_app(&app.id), &facts)?;
    Ok(generation)
}
