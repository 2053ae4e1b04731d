//! This file's job is to remove blobs that nobody needs; [`db::unused`] and [`db::condemned`] say why that is safe.

use super::Left;
use crate::context::Context;
use crate::error::Error;
use domain::Sha256;

/// Blobs that are compared with the database at once.
const PAGE: usize = 500;
/// Blobs that are removed in one turn; each is a request to the store.
const REMOVED_MAX: u32 = 500;

pub(super) async fn sweep(context: &Context) -> Result<Left, Error> {
    take_unused(context).await?;
    condemn(context).await?;
    let now = context.clock.now();
    let condemned = context.db.write(move |tx| db::condemned::begin_removal(tx, REMOVED_MAX, now)).await?;
    let count = condemned.len();
    for blob in &condemned {
        context.store.delete(blob).await?;
    }
    context.db.write(move |tx| db::condemned::removed(tx, &condemned)).await?;
    if count > 0 {
        tracing::info!(count, "blobs that nobody has were removed");
        context.metrics.swept.inc_by(count as u64);
    }
    Ok(if count < REMOVED_MAX as usize { Left::Nothing } else { Left::More })
}

/// Goes through the blobs of all organizations, and takes from each what it needs no more; [`db::unused`] says when that is.
async fn take_unused(context: &Context) -> Result<(), Error> {
    let (mut after, mut taken) = (None, 0);
    loop {
        let now = context.clock.now();
        let step = context.db.write(move |tx| db::unused::take(tx, after.as_ref(), PAGE as u32, now)).await?;
        taken += step.taken;
        match step.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    if taken > 0 {
        tracing::info!(taken, "blobs that their organizations need no more were given up");
    }
    Ok(())
}

/// Goes through the whole store.
async fn condemn(context: &Context) -> Result<(), Error> {
    let mut after: Option<Sha256> = None;
    loop {
        let page: Vec<Sha256> =
            context.store.list(after.as_ref(), PAGE).await?.into_iter().map(|listed| listed.sha256).collect();
        let is_last = page.len() < PAGE;
        after = page.last().copied();
        let now = context.clock.now();
        context.db.write(move |tx| db::condemned::condemn(tx, &page, now)).await?;
        if is_last {
            return Ok(());
        }
    }
}
