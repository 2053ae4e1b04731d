//! This file's job is to recognise people by the tokens of their sessions.
//!
//! A token is 256 random bits; the database has its SHA-256. A browser has it in a cookie, and its calls must come from a page of this
//! site. A program of the person sends it like a key; no browser does that by itself, so no origin is asked for.

use crate::auth::caller::{Actor, ActorKind};
use crate::auth::site::Site;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::accounts::Account;
use db::members::Member;
use db::organizations::Organization;
use db::sessions::Session;
use db::{Db, DbConn, SessionKind};
use domain::id::{SessionId, UserId};
use domain::{ErrorKind, Sha256, Timestamp};
use http::HeaderMap;
use proto::v1::Reason;
use runtime::clock::Clock;
use std::time::Duration;

/// How long a session lasts without being used for a change.
pub const BROWSER_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// People do not want to log their terminal in every week.
pub const COMMAND_LINE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A session's end is moved on at most so often, so that reads stay reads.
const REFRESH_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How tokens begin, so that people and scanners recognise them.
pub const TOKEN_PREFIX: &str = "as_";
/// The prefix and 32 bytes in base 64.
const TOKEN_CHARACTERS: usize = 46;
/// Names the organization that a call is about.
pub const ORGANIZATION_HEADER: &str = "aloft-organization";

/// Who is signed in. Only the guard makes one, after it has checked the session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Whose session it is.
    pub account: Account,
    /// Where the person belongs and may act in this session.
    pub places: Vec<(Organization, Member)>,
}

impl SignedIn {
    /// Returns the person.
    #[must_use]
    pub fn person(&self) -> &UserId {
        &self.account.id
    }

    /// Returns the person as somebody who acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        actor(&self.account.id, self.session.id.as_str())
    }

    /// Checks that the person sits at a browser: what a command line's session must not do is what would outlive it.
    ///
    /// # Errors
    /// Permission denied for other sessions.
    pub fn at_browser(&self) -> Result<()> {
        if self.session.kind == SessionKind::Browser { Ok(()) } else { Err(Error::forbidden()) }
    }

    /// Returns the place that a call is about: the one that its header names, else the only one.
    ///
    /// # Errors
    /// Invalid argument when it is unclear; not found when the person does not belong there, or there is no such organization.
    pub fn place(&self, headers: &HeaderMap) -> Result<&(Organization, Member)> {
        let named = headers.get(ORGANIZATION_HEADER).map(|value| value.to_str().unwrap_or_default());
        match (named, self.places.as_slice()) {
            (Some(name), places) => places
                .iter()
                .find(|(organization, _)| organization.slug == name || organization.id.as_str() == name)
                .ok_or_else(|| Error::not_found("organization")),
            (None, [only]) => Ok(only),
            (None, _) => {
                let message = format!("say which organization is meant in the header '{ORGANIZATION_HEADER}'");
                Err(Error::refused(ErrorKind::InvalidArgument, Reason::OrganizationUnclear, message))
            }
        }
    }
}

/// Describes a person who acts; `credential` is the session's id, or says how else the person proved who it is.
#[must_use]
pub fn actor(person: &UserId, credential: &str) -> Actor {
    Actor { kind: ActorKind::Person, id: person.to_string(), credential: credential.to_owned() }
}

/// A new token and its session's row.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What the person gets; nobody can read it again.
    pub token: String,
    /// What is stored.
    pub row: Session,
}

/// Describes a session that is to begin.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// What the program calls itself.
    pub name: String,
    /// Where the call came from.
    pub address: String,
}

impl Client {
    /// Longer names only fill the list.
    const NAME_MAX_CHARACTERS: usize = 200;

    /// Describes who made a call; for people only.
    #[must_use]
    pub fn new(name: &str, address: String) -> Self {
        let shown = name.chars().filter(|character| !character.is_control()).take(Self::NAME_MAX_CHARACTERS);
        Self { name: shown.collect(), address }
    }
}

/// Makes a session of the person.
#[must_use]
pub fn issue(account: &UserId, kind: SessionKind, client: &Client, now: Timestamp) -> Issued {
    let token = new_token();
    let row = Session {
        id: SessionId::from_parts(now, runtime::random::bytes()),
        account: account.clone(),
        token_hash: Sha256::of(token.as_bytes()),
        kind,
        organization: None,
        client: client.name.clone(),
        address: client.address.clone(),
        created_at: now,
        refreshed_at: now,
        expires_at: now.plus(lifetime(kind)),
    };
    Issued { token, row }
}

/// Makes a token of 256 random bits.
#[must_use]
pub fn new_token() -> String {
    format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(runtime::random::bytes::<32>()))
}

/// Returns how long a session of this kind lasts.
#[must_use]
pub const fn lifetime(kind: SessionKind) -> Duration {
    match kind {
        SessionKind::Browser => BROWSER_LIFETIME,
        SessionKind::CommandLine => COMMAND_LINE_LIFETIME,
    }
}

/// Recognises sessions.
pub struct Sessions {
    db: Db,
    clock: Clock,
    site: Site,
}

impl Sessions {
    /// Makes it.
    #[must_use]
    pub const fn new(db: Db, clock: Clock, site: Site) -> Self {
        Self { db, clock, site }
    }

    /// Returns who sent the cookie; none when there is no cookie.
    ///
    /// # Errors
    /// Permission denied when the call comes from no page of this site; unauthenticated when the session is not valid now.
    pub async fn of_cookie(&self, headers: &HeaderMap) -> Result<Option<SignedIn>> {
        let Some(token) = self.site.cookie(headers) else { return Ok(None) };
        if !self.site.is_own_page(headers) {
            let message = "a call with a session's cookie must come from a page of this server";
            return Err(Error::refused(ErrorKind::PermissionDenied, Reason::OriginRefused, message));
        }
        self.find(token, SessionKind::Browser).await.map(Some)
    }

    /// Returns who sent the token as a credential.
    ///
    /// # Errors
    /// Unauthenticated when the session is not valid now.
    pub async fn of_token(&self, token: &str) -> Result<SignedIn> {
        self.find(token, SessionKind::CommandLine).await
    }

    async fn find(&self, token: &str, kind: SessionKind) -> Result<SignedIn> {
        // Anything else is refused without asking the database.
        if token.len() != TOKEN_CHARACTERS || !token.starts_with(TOKEN_PREFIX) {
            return Err(Error::unauthenticated());
        }
        let (hash, now) = (Sha256::of(token.as_bytes()), self.clock.now());
        let found = self.db.read(move |conn| load(conn, &hash)).await?;
        found.filter(|found| is_valid(&found.session, kind, now)).ok_or_else(Error::unauthenticated)
    }

    /// Moves the session's end on, if it is time; returns the cookie that then has to be set.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refresh(&self, session: &Session, headers: &HeaderMap) -> Result<Option<String>> {
        let now = self.clock.now();
        if now.since(session.refreshed_at) < REFRESH_AFTER {
            return Ok(None);
        }
        let (row, lifetime) = (session.clone(), lifetime(session.kind));
        let refreshed = self.db.write(move |tx| db::sessions::refresh(tx, &row, now, now.plus(lifetime))).await?;
        let token = self.site.cookie(headers).filter(|_| refreshed && session.kind == SessionKind::Browser);
        Ok(token.map(|token| self.site.set_cookie(token, lifetime.as_secs())))
    }
}

fn load(conn: &mut DbConn, hash: &Sha256) -> db::Result<Option<SignedIn>> {
    let Some(session) = db::sessions::find_by_token(conn, hash)? else { return Ok(None) };
    let account = db::accounts::get(conn, &session.account)?;
    let mut places = db::members::list_of_account(conn, &account.id)?;
    if let Some(only) = &session.organization {
        places.retain(|(organization, _)| organization.id == *only);
    }
    Ok(Some(SignedIn { session, account, places }))
}

/// A session that ends later than a new one would was made by a clock that was wrong: it is not believed.
fn is_valid(session: &Session, kind: SessionKind, now: Timestamp) -> bool {
    session.kind == kind && now < session.expires_at && session.expires_at <= now.plus(lifetime(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_us(0).plus(Duration::from_secs(hours * 3_600))
    }

    #[test]
    fn tokens_have_one_shape() {
        assert_eq!(new_token().len(), TOKEN_CHARACTERS);
        assert_ne!(new_token(), new_token());
    }

    #[test]
    fn a_session_holds_for_a_week_whatever_the_clock_does() {
        let account = UserId::from_parts(at(0), [0; 10]);
        let row = issue(&account, SessionKind::Browser, &Client::default(), at(1_000)).row;
        let valid = |hours| is_valid(&row, SessionKind::Browser, at(hours));
        assert!(valid(1_000) && valid(1_000 + 7 * 24 - 1));
        assert!(!valid(1_000 + 7 * 24), "it ends");
        assert!(!valid(999), "made by a clock that ran ahead");
        assert!(!is_valid(&row, SessionKind::CommandLine, at(1_001)), "a cookie is no key");
    }
}
