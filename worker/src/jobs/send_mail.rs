//! This file's job is to send one mail, with a token that nobody else has seen.

use crate::context::Context;
use crate::error::Error;
use crate::mail;
use db::Tx;
use db::mails::Mail;
use db::queue::{self, Lease};
use domain::Sha256;
use domain::id::MailId;

/// Sends the mail, unless it was sent or its link would not work any more, and completes the job.
///
/// A crash behind the sending sends it again, with another token: then the newest mail's link is the one that works.
pub(crate) async fn run(context: &Context, lease: &Lease, id: &MailId) -> Result<(), Error> {
    let (wanted, now) = (id.clone(), context.clock.now());
    let mail = match context.db.read(move |conn| db::mails::get(conn, &wanted)).await {
        Err(db::Error::NotFound { .. }) => None,
        found => Some(found?).filter(|mail| mail.sent_at.is_none() && now < mail.expires_at),
    };
    if let Some(mail) = &mail {
        send(context, mail).await?;
    }
    let (lease, now) = (lease.clone(), context.clock.now());
    let write = move |tx: &mut Tx<'_>| {
        queue::complete(tx, &lease, now)?;
        mail.as_ref().map_or(Ok(()), |mail| db::mails::set_sent(tx, &mail.id, now))
    };
    Ok(context.db.write(write).await?)
}

async fn send(context: &Context, mail: &Mail) -> Result<(), Error> {
    let token = hex::encode(runtime::random::bytes::<32>());
    let message = mail::compose(mail, &context.config.mail_from, &context.config.public_url, &token)?;
    let (id, hash) = (mail.id.clone(), Sha256::of(token.as_bytes()));
    context.db.write(move |tx| db::mails::set_token(tx, &id, &hash)).await?;
    context.post.send(mail.id.as_str(), message).await
}
