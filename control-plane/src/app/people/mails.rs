//! This file's job is to queue mails in the transaction that makes them necessary.

use crate::app::jobs;
use crate::error::Result;
use db::mails::Mail;
use db::{MailKind, Tx};
use domain::id::{MailId, UserId};
use domain::job::Job;
use domain::{EmailAddress, Timestamp};
use std::time::Duration;

/// Enough for somebody whose mail is slow; too few to fill a stranger's mailbox.
const MAILS_PER_ADDRESS_MAX: u64 = 5;
const MAILS_PER_ADDRESS_WINDOW: Duration = Duration::from_secs(60 * 60);

/// Returns how long the link of a mail works.
pub const fn link_lifetime(kind: MailKind) -> Duration {
    match kind {
        MailKind::ResetPassword => Duration::from_secs(60 * 60),
        MailKind::SignUp | MailKind::AccountExists | MailKind::SecurityNotice => Duration::from_secs(24 * 60 * 60),
        MailKind::Invitation => Duration::from_secs(7 * 24 * 60 * 60),
    }
}

/// Queues a mail, unless its reader got many lately, who then gets none: nobody may learn from the answer.
///
/// # Errors
/// Those of the database.
pub fn queue(
    tx: &mut Tx<'_>,
    kind: MailKind,
    address: &EmailAddress,
    account: Option<&UserId>,
    detail: &str,
    now: Timestamp,
) -> Result<Option<Mail>> {
    if db::mails::count_since(tx, address, now.minus(MAILS_PER_ADDRESS_WINDOW))? >= MAILS_PER_ADDRESS_MAX {
        tracing::info!(kind = kind.as_str(), "a mail is not sent: its reader got many lately");
        return Ok(None);
    }
    let mail = Mail {
        id: MailId::from_parts(now, runtime::random::bytes()),
        kind,
        address: address.clone(),
        account: account.cloned(),
        token_hash: None,
        detail: detail.to_owned(),
        created_at: now,
        expires_at: now.plus(link_lifetime(kind)),
        sent_at: None,
        used_at: None,
    };
    db::mails::insert(tx, &mail)?;
    jobs::enqueue_system(tx, Job::SendMail { mail: mail.id.clone() }, now)?;
    Ok(Some(mail))
}
