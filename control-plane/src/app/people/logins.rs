//! This file's job is to let programs without a browser in: the device authorization of RFC 8628.

use super::NewSession;
use crate::app::people::sign_in::{self, Start};
use crate::app::record;
use crate::auth::session::{self, Client, SignedIn};
use crate::context::Context;
use crate::error::{Error, Result};
use db::logins::{Decision, Login};
use db::{LoginState, SessionKind, Tx};
use domain::id::OrganizationId;
use domain::{ErrorKind, Sha256, Timestamp};
use proto::v1::Reason;
use std::net::IpAddr;
use std::time::Duration;

/// Enough to open a page, sign in there and compare a code.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// RFC 8628's default.
const INTERVAL_S: u32 = 5;
/// How much longer each poll that comes too soon makes the interval: RFC 8628, section 3.5.
const SLOWER_BY_S: u32 = 5;
/// No word comes of these letters, and none looks like a digit: RFC 8628, section 6.1. Eight of them are 34 bits.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS: usize = 8;

/// A login that has just begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// What the program polls with.
    pub device_code: String,
    /// What the person types in.
    pub user_code: String,
    /// Seconds between two polls.
    pub interval_s: u32,
}

/// What a poll found.
pub enum Polled {
    /// Nobody has decided.
    Pending {
        /// Seconds until the next poll.
        interval_s: u32,
        /// Whether this one came too soon.
        too_soon: bool,
    },
    /// The program is let in.
    Approved(Box<NewSession>),
}

/// Begins a login.
///
/// # Errors
/// Resource exhausted after too many of them from one network.
pub async fn start(context: &Context, client: Client, peer: Option<IpAddr>) -> Result<Started> {
    context.door.try_login(peer, context.clock.now())?;
    let started = Started { device_code: session::new_token(), user_code: new_user_code(), interval_s: INTERVAL_S };
    let codes = started.clone();
    let begun = context.change(move |tx, now| {
        let row = Login {
            device_code_hash: Sha256::of(codes.device_code.as_bytes()),
            user_code_hash: Sha256::of(codes.user_code.as_bytes()),
            client: client.name.clone(),
            address: client.address.clone(),
            state: LoginState::Pending,
            account: None,
            organization: None,
            interval_s: INTERVAL_S,
            created_at: now,
            expires_at: now.plus(LIFETIME),
            polled_at: None,
        };
        Ok(db::logins::insert(tx, &row)?)
    });
    begun.await?;
    Ok(started)
}

/// Asks what became of a login. When it was approved, this call begins the session and ends the login.
///
/// # Errors
/// Permission denied when the person denied it; failed precondition when there is no such login any more.
pub async fn poll(context: &Context, device_code: &str) -> Result<Polled> {
    let hash = Sha256::of(device_code.as_bytes());
    let polled = context.change(move |tx, now| {
        let login = db::logins::find_by_device_code(tx, &hash, now)?.ok_or_else(ended)?;
        match login.state {
            LoginState::Pending => wait(tx, &login, now),
            LoginState::Approved => enter(tx, &login, now),
            LoginState::Denied => {
                let message = "the person denied the login";
                Err(Error::refused(ErrorKind::PermissionDenied, Reason::LoginDenied, message))
            }
        }
    });
    match polled.await {
        // Another poll took the session at the same moment.
        Err(Error::Database(db::Error::Conflict { .. })) => Err(ended()),
        polled => polled,
    }
}

fn wait(tx: &mut Tx<'_>, login: &Login, now: Timestamp) -> Result<Polled> {
    let interval = Duration::from_secs(login.interval_s.into());
    // A clock that went back makes nobody wait.
    let too_soon = login.polled_at.is_some_and(|at| at <= now && now.since(at) < interval);
    let interval_s = if too_soon { login.interval_s + SLOWER_BY_S } else { login.interval_s };
    db::logins::set_polled(tx, &login.device_code_hash, interval_s, now)?;
    Ok(Polled::Pending { interval_s, too_soon })
}

fn enter(tx: &mut Tx<'_>, login: &Login, now: Timestamp) -> Result<Polled> {
    let account = login.account.as_ref().ok_or_else(ended)?;
    let account = db::accounts::get(tx, account)?;
    db::logins::delete(tx, &login.device_code_hash)?;
    let client = Client { name: login.client.clone(), address: login.address.clone() };
    let start = Start { kind: SessionKind::CommandLine, organization: login.organization.clone() };
    let session = sign_in::begin(tx, account, start, &client, now)?;
    let actor = session::actor(&session.account.id, session.row.id.as_str());
    record::person_did(tx, &session.account.id, &actor, now, "PollLogin", &[("address", &client.address)])?;
    Ok(Polled::Approved(Box::new(session)))
}

/// Returns the login with this user code.
///
/// # Errors
/// Not found when there is none; resource exhausted after too many tries.
pub async fn find(context: &Context, person: &SignedIn, user_code: &str, peer: Option<IpAddr>) -> Result<Login> {
    let hash = hash_of_typed(context, person, user_code, peer)?;
    let now = context.clock.now();
    let found = context.read(move |conn| Ok(db::logins::find_by_user_code(conn, &hash, now)?)).await?;
    found.ok_or_else(|| Error::not_found("login"))
}

/// Approves a login for an organization of the person's, or for all of them; or denies it.
///
/// # Errors
/// Not found when there is no such login, or the person does not belong to the organization; resource exhausted after too many tries.
pub async fn decide(
    context: &Context,
    person: SignedIn,
    (user_code, approve, organization): (&str, bool, &str),
    peer: Option<IpAddr>,
) -> Result<()> {
    let hash = hash_of_typed(context, &person, user_code, peer)?;
    let organization = only_place(&person, organization)?;
    let state = if approve { LoginState::Approved } else { LoginState::Denied };
    let decided = context.change(move |tx, now| {
        let decision = Decision { state, account: person.person().clone(), organization: organization.clone() };
        db::logins::decide(tx, &hash, &decision, now)?;
        let facts = [("decision", state.as_str())];
        record::person_did(tx, person.person(), &person.actor(), now, "DecideLogin", &facts)
    });
    decided.await
}

fn only_place(person: &SignedIn, name: &str) -> Result<Option<OrganizationId>> {
    if name.is_empty() {
        return Ok(None);
    }
    let place = person.places.iter().find(|(place, _)| place.slug == name || place.id.as_str() == name);
    place.map(|(place, _)| Some(place.id.clone())).ok_or_else(|| Error::not_found("organization"))
}

/// Codes are short enough to be guessed by many, so tries are counted.
fn hash_of_typed(context: &Context, person: &SignedIn, typed: &str, peer: Option<IpAddr>) -> Result<Sha256> {
    person.at_browser()?;
    context.door.try_user_code(person.person(), peer, context.clock.now())?;
    let code = read_user_code(typed).ok_or_else(|| Error::not_found("login"))?;
    Ok(Sha256::of(code.as_bytes()))
}

/// Returns the one form of what a person typed.
fn read_user_code(typed: &str) -> Option<String> {
    let mut letters: Vec<char> =
        typed.chars().filter(|character| !matches!(character, '-' | ' ')).take(USER_CODE_LETTERS + 1).collect();
    letters.iter_mut().for_each(|letter| letter.make_ascii_uppercase());
    let fits = letters.len() == USER_CODE_LETTERS
        && letters.iter().all(|letter| u8::try_from(*letter).is_ok_and(|byte| LETTERS.contains(&byte)));
    fits.then(|| {
        let (first, second) = letters.split_at(USER_CODE_LETTERS / 2);
        first.iter().chain(&['-']).chain(second).collect()
    })
}

fn new_user_code() -> String {
    let letter = || char::from(LETTERS[runtime::random::below(LETTERS.len() as u64) as usize]);
    let (first, second): (String, String) = ((0..4).map(|_| letter()).collect(), (0..4).map(|_| letter()).collect());
    format!("{first}-{second}")
}

fn ended() -> Error {
    let message = "the login has expired, was used, or never was: begin a new one";
    Error::refused(ErrorKind::FailedPrecondition, Reason::LoginEnded, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed_and_nothing_else_is() {
        let code = new_user_code();
        assert_eq!(read_user_code(&code), Some(code.clone()));
        assert_eq!(read_user_code(" wdjb mjht"), Some("WDJB-MJHT".to_owned()));
        for bad in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJA-MJHT", "WDJB-MJH1", "WDJB-MJHТ", &"B".repeat(1_000)] {
            assert_eq!(read_user_code(bad), None, "{bad}");
        }
    }
}
