//! This file's job is to name what people can do before and after they sign in, and what they share.

pub mod logins;
mod mails;
mod password;
mod provider;
pub mod second_step;
mod sessions;
mod sign_in;
mod sign_up;

pub use mails::queue as queue_mail;
pub use password::{change_password, invite_first_owner, request_reset, reset};
pub use provider::enter as enter_with_provider;
pub use sessions::{list, revoke, sign_out};
pub use sign_in::{Entry, NewSession, complete_sign_in, sign_in};
pub use sign_up::{SignUpForm, complete, sign_up};

use crate::auth::throttle::{self, Throttle};
use crate::auth::window::Allowance;
use crate::config::SignUp;
use crate::error::{Error, Result};
use db::MailKind;
use domain::id::UserId;
use domain::{EmailAddress, ErrorKind, Timestamp};
use proto::v1::Reason;
use std::net::IpAddr;
use std::time::Duration;

/// Fits any list and any dialogue.
const NAME_MAX_BYTES: usize = 128;
/// One person who has forgotten which password it was, from one place.
const TRIES_OF_ONE: Allowance = Allowance { tries: 10, window: Duration::from_secs(15 * 60) };
/// All places together for one address: nobody can lock a person out with less than a botnet.
const TRIES_AT_ADDRESS: Allowance = Allowance { tries: 100, window: Duration::from_secs(15 * 60) };
/// An office behind one address.
const TRIES_FROM_NETWORK: Allowance = Allowance { tries: 100, window: Duration::from_secs(15 * 60) };
/// Logins of command lines that one network begins; each holds a row for ten minutes.
const LOGINS_FROM_NETWORK: Allowance = Allowance { tries: 100, window: Duration::from_secs(15 * 60) };
/// User codes that one person types: against 2^34 of them, guessing one of a thousand open logins takes more than a century.
const USER_CODES_OF_ONE: Allowance = Allowance { tries: 20, window: Duration::from_secs(15 * 60) };
/// User codes from one network, whoever types them.
const USER_CODES_FROM_NETWORK: Allowance = Allowance { tries: 100, window: Duration::from_secs(15 * 60) };
/// Codes of the second step for one account, wherever they come from. Three of a million are right at any time, and only somebody who
/// knows the password gets so far.
const CODES_OF_ACCOUNT: Allowance = Allowance { tries: 5, window: Duration::from_secs(15 * 60) };
/// Tokens of workflows from one network: many repositories' workflows run behind one address.
const EXCHANGES_FROM_NETWORK: Allowance = Allowance { tries: 300, window: Duration::from_secs(15 * 60) };
/// Mails of one kind that one network can cause; each address gets few of them anyway.
const MAILS_FROM_NETWORK: Allowance = Allowance { tries: 100, window: Duration::from_secs(60 * 60) };

/// Who may come in how often, and whether new people may.
pub struct Door {
    sign_up: SignUp,
    of_one: Throttle,
    at_address: Throttle,
    from_network: Throttle,
    mails: Throttle,
    logins: Throttle,
    user_codes: Throttle,
    user_codes_of_network: Throttle,
    codes: Throttle,
    exchanges: Throttle,
    ways: Throttle,
}

impl Door {
    /// Makes a door that nobody has tried yet.
    #[must_use]
    pub fn new(sign_up: SignUp) -> Self {
        Self {
            sign_up,
            of_one: Throttle::new(TRIES_OF_ONE),
            at_address: Throttle::new(TRIES_AT_ADDRESS),
            from_network: Throttle::new(TRIES_FROM_NETWORK),
            mails: Throttle::new(MAILS_FROM_NETWORK),
            logins: Throttle::new(LOGINS_FROM_NETWORK),
            user_codes: Throttle::new(USER_CODES_OF_ONE),
            user_codes_of_network: Throttle::new(USER_CODES_FROM_NETWORK),
            codes: Throttle::new(CODES_OF_ACCOUNT),
            exchanges: Throttle::new(EXCHANGES_FROM_NETWORK),
            ways: Throttle::new(TRIES_FROM_NETWORK),
        }
    }

    /// Says whether anybody may make an account.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sign_up == SignUp::Open
    }

    /// Counts a try to prove who somebody is. The answer does not depend on whether there is such an account.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_secret(&self, email: &EmailAddress, peer: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let network = network(peer);
        self.from_network.take(&network, now)?;
        self.at_address.take(email.as_str(), now)?;
        self.of_one.take(&format!("{email} {network}"), now)
    }

    /// Forgets the tries of somebody who got in. The network's are kept: its owner may own one account and try others.
    pub fn entered(&self, email: &EmailAddress, peer: Option<IpAddr>) {
        self.of_one.forget(&format!("{email} {}", network(peer)));
    }

    /// Counts a request for a mail.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_mail(&self, kind: MailKind, peer: Option<IpAddr>, now: Timestamp) -> Result<()> {
        self.mails.take(&format!("{kind} {}", network(peer)), now)
    }

    /// Counts the begin of a command line's login.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_login(&self, peer: Option<IpAddr>, now: Timestamp) -> Result<()> {
        self.logins.take(&network(peer), now)
    }

    /// Counts a way to the provider of sign-ins.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_provider(&self, peer: Option<IpAddr>, now: Timestamp) -> Result<()> {
        self.ways.take(&network(peer), now)
    }

    /// Counts a token of a workflow.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_exchange(&self, peer: Option<IpAddr>, now: Timestamp) -> Result<()> {
        self.exchanges.take(&network(peer), now)
    }

    /// Counts a user code that a person typed.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_user_code(&self, person: &UserId, peer: Option<IpAddr>, now: Timestamp) -> Result<()> {
        self.user_codes_of_network.take(&network(peer), now)?;
        self.user_codes.take(person.as_str(), now)
    }

    /// Counts a code of an account's second step.
    ///
    /// # Errors
    /// Resource exhausted when there were too many.
    pub fn try_code(&self, account: &UserId, now: Timestamp) -> Result<()> {
        self.codes.take(account.as_str(), now)
    }

    /// Forgets the codes of an account after a right one: each works once, so that nothing can be learned from it.
    pub fn passed(&self, account: &UserId) {
        self.codes.forget(account.as_str());
    }
}

/// Calls inside the process share one count.
fn network(peer: Option<IpAddr>) -> String {
    peer.map_or_else(|| "inside".to_owned(), throttle::block)
}

/// Reads an e-mail address.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn email(field: &'static str, text: &str) -> Result<EmailAddress> {
    text.parse().map_err(Error::in_field(field))
}

/// Reads a name for people.
///
/// # Errors
/// Invalid argument that names `field`.
pub fn display_name(field: &'static str, text: &str) -> Result<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= NAME_MAX_BYTES && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Error::field(field, "must be 1 to 128 bytes without control characters"))
    }
}

/// The token of a mail's link does not work, for whatever cause.
#[must_use]
pub fn link_invalid() -> Error {
    let message = "the link is wrong, was used already, or has expired: ask for a new mail";
    Error::refused(ErrorKind::FailedPrecondition, Reason::LinkInvalid, message)
}
