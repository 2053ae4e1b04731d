//! This file's job is to turn the second step of a person's sign-in on and off, and to check it.

use crate::app::people::mails;
use crate::app::record;
use crate::auth::session::SignedIn;
use crate::auth::totp;
use crate::context::Context;
use crate::error::{Error, Result};
use db::accounts::Account;
use db::second_factors::SecondFactor;
use db::{MailKind, Tx};
use domain::id::UserId;
use domain::{ErrorKind, Sha256, Timestamp};
use proto::v1::Reason;
use runtime::vault::Sealed;
use std::net::IpAddr;

/// Enough to lose a phone or two before new ones are made.
const RECOVERY_CODES: usize = 10;
/// Three groups of four: 60 bits.
const RECOVERY_CODE_DIGITS: usize = 12;
/// Crockford's base 32: nothing in it looks like something else.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

const TURNED_ON: &str = "The second step of signing in was turned on.";
const TURNED_OFF: &str = "The second step of signing in was turned off.";
const RECOVERED: &str = "A recovery code was used to sign in.";

/// A secret that is not confirmed yet.
pub struct Begun {
    /// In base 32.
    pub secret: String,
    /// As an address for authenticator apps.
    pub uri: String,
}

/// Says whether the person's sign-in has a second step, and how many recovery codes are left.
///
/// # Errors
/// Those of the database.
pub async fn status(context: &Context, person: &SignedIn) -> Result<(bool, u64)> {
    let account = person.account.id.clone();
    let read = context.read(move |conn| {
        let is_on = db::second_factors::find(conn, &account)?.is_some_and(|factor| factor.confirmed_at.is_some());
        Ok((is_on, db::second_factors::count_recovery_codes(conn, &account)?))
    });
    read.await
}

/// Makes a secret. Somebody at an unlocked screen must not lock the person out, so the password is asked for.
///
/// # Errors
/// Invalid argument when the password is wrong; already exists when there is a second step; resource exhausted after too many tries.
pub async fn begin(context: &Context, person: SignedIn, password: &str, peer: Option<IpAddr>) -> Result<Begun> {
    person.at_browser()?;
    if person.account.password_hash.is_some() {
        context.door.try_secret(&person.account.email, peer, context.clock.now())?;
        if !context.passwords.matches(person.account.password_hash.clone(), password).await? {
            return Err(Error::field("password", "is not the current password"));
        }
        context.door.entered(&person.account.email, peer);
    }
    let bytes: [u8; totp::SECRET_BYTES] = runtime::random::bytes();
    let Sealed { master_key, bytes: sealed_secret } = context.vault.seal(person.person().as_str(), &bytes)?;
    let secret = totp::base32(&bytes);
    let uri = totp::uri(&secret, person.account.email.as_str(), &context.site.host());
    let begun = context.change(move |tx, now| {
        let row = SecondFactor {
            account: person.person().clone(),
            sealed_secret: sealed_secret.clone(),
            master_key: master_key.clone(),
            last_step: 0,
            created_at: now,
            confirmed_at: None,
        };
        Ok(db::second_factors::put(tx, &row)?)
    });
    begun.await?;
    Ok(Begun { secret, uri })
}

/// Turns the second step on and returns recovery codes.
///
/// # Errors
/// Invalid argument when the code is wrong; failed precondition when no secret was made; resource exhausted after too many tries.
pub async fn confirm(context: &Context, person: SignedIn, code: &str) -> Result<Vec<String>> {
    person.at_browser()?;
    context.door.try_code(person.person(), context.clock.now())?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| new_recovery_code()).collect();
    let hashes: Vec<Sha256> = codes.iter().map(|code| hash(context, person.person(), code)).collect();
    let (own, code) = (context.clone(), code.to_owned());
    let confirmed = context.change(move |tx, now| {
        let factor = db::second_factors::find(tx, person.person())?.filter(|factor| factor.confirmed_at.is_none());
        let factor = factor.ok_or_else(|| Error::not_found("second step"))?;
        if !takes_code(tx, &own, &factor, &code, now)? {
            return Err(Error::field("code", "is not the code that the app shows now"));
        }
        db::second_factors::confirm(tx, person.person(), &hashes, now)?;
        tell(tx, &person.account, TURNED_ON, now)?;
        record::person_did(tx, person.person(), &person.actor(), now, "ConfirmSecondStep", &[])
    });
    confirmed.await?;
    Ok(codes)
}

/// Turns the second step off.
///
/// # Errors
/// Invalid argument when the code is wrong; not found when there is no second step; resource exhausted after too many tries.
pub async fn remove(context: &Context, person: SignedIn, code: &str) -> Result<()> {
    person.at_browser()?;
    context.door.try_code(person.person(), context.clock.now())?;
    let (own, code) = (context.clone(), code.to_owned());
    let removed = context.change(move |tx, now| {
        let factor = db::second_factors::find(tx, person.person())?.filter(|factor| factor.confirmed_at.is_some());
        let factor = factor.ok_or_else(|| Error::not_found("second step"))?;
        if check(tx, &own, &factor, &code, now)?.is_none() {
            return Err(Error::field("code", "is neither the code that the app shows now nor a recovery code"));
        }
        db::second_factors::delete(tx, person.person())?;
        tell(tx, &person.account, TURNED_OFF, now)?;
        record::person_did(tx, person.person(), &person.actor(), now, "RemoveSecondStep", &[])
    });
    removed.await
}

/// What proved the second step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The authenticator app.
    App,
    /// A recovery code.
    RecoveryCode,
}

/// Checks the second step of a sign-in and uses the code up.
///
/// # Errors
/// Unauthenticated when the code is wrong or was used.
pub fn pass(tx: &mut Tx<'_>, context: &Context, account: &Account, code: &str, now: Timestamp) -> Result<Proof> {
    let factor = db::second_factors::find(tx, &account.id)?.filter(|factor| factor.confirmed_at.is_some());
    let proof = match &factor {
        Some(factor) => check(tx, context, factor, code, now)?,
        None => None,
    };
    let proof = proof.ok_or_else(refused)?;
    if proof == Proof::RecoveryCode {
        tell(tx, account, RECOVERED, now)?;
    }
    Ok(proof)
}

/// The code is wrong, or the sign-in that it belongs to has ended.
pub fn refused() -> Error {
    let message = "the code is wrong or was used, or the sign-in took too long";
    Error::refused(ErrorKind::Unauthenticated, Reason::CodeInvalid, message)
}

fn check(
    tx: &mut Tx<'_>,
    context: &Context,
    factor: &SecondFactor,
    code: &str,
    now: Timestamp,
) -> Result<Option<Proof>> {
    if takes_code(tx, context, factor, code, now)? {
        return Ok(Some(Proof::App));
    }
    let recovers = match read_recovery_code(code) {
        Some(code) => {
            db::second_factors::use_recovery_code(tx, &factor.account, &hash(context, &factor.account, &code))?
        }
        None => false,
    };
    Ok(recovers.then_some(Proof::RecoveryCode))
}

fn takes_code(tx: &mut Tx<'_>, context: &Context, factor: &SecondFactor, code: &str, now: Timestamp) -> Result<bool> {
    let sealed = Sealed { master_key: factor.master_key.clone(), bytes: factor.sealed_secret.clone() };
    let secret = context.vault.open(factor.account.as_str(), &sealed)?;
    let code: String = code.chars().filter(|character| *character != ' ').take(RECOVERY_CODE_DIGITS).collect();
    match totp::step_of(&secret, &code, now) {
        Some(step) => Ok(db::second_factors::use_step(tx, &factor.account, step)?),
        None => Ok(false),
    }
}

fn hash(context: &Context, account: &UserId, code: &str) -> Sha256 {
    context.second_steps.code_hash(account, code)
}

fn tell(tx: &mut Tx<'_>, account: &Account, what: &str, now: Timestamp) -> Result<()> {
    mails::queue(tx, MailKind::SecurityNotice, &account.email, Some(&account.id), what, now).map(drop)
}

fn new_recovery_code() -> String {
    let digits: Vec<char> = (0..RECOVERY_CODE_DIGITS)
        .map(|_| char::from(DIGITS[runtime::random::below(DIGITS.len() as u64) as usize]))
        .collect();
    grouped(&digits)
}

fn grouped(digits: &[char]) -> String {
    digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Returns the one form of what a person typed.
fn read_recovery_code(typed: &str) -> Option<String> {
    let mut digits: Vec<char> =
        typed.chars().filter(|character| !matches!(character, '-' | ' ')).take(RECOVERY_CODE_DIGITS + 1).collect();
    digits.iter_mut().for_each(|digit| digit.make_ascii_lowercase());
    (digits.len() == RECOVERY_CODE_DIGITS).then(|| grouped(&digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_is_read_however_it_is_typed() {
        let code = new_recovery_code();
        assert_eq!((code.len(), read_recovery_code(&code)), (14, Some(code.clone())));
        assert_eq!(read_recovery_code(&code.replace('-', " ").to_uppercase()), Some(code));
        assert_eq!(read_recovery_code("123456"), None);
        assert_ne!(new_recovery_code(), new_recovery_code());
    }
}
