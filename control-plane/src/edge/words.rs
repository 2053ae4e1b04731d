//! This file's job is to write down which states edges use, so that every replica can tell.

use super::fleet::Fleet;
use crate::context::Context;
use crate::error::{Error, Result, chain};
use db::edge_channels::{self, ROWS_MAX};
use std::sync::Arc;
use std::time::Duration;

/// What edges say meanwhile is written in one transaction: a release reaches a hundred edges in a fraction of this.
const GATHER: Duration = Duration::from_millis(500);

/// Writes until the stop.
pub async fn run(context: Context, fleet: Arc<Fleet>) {
    let stop = context.stop.clone();
    while stop.run_until(fleet.spoken()).await.is_some() {
        if stop.run_until(tokio::time::sleep(GATHER)).await.is_none() {
            return;
        }
        if let Err(error) = write(&context, &fleet).await {
            tracing::debug!(cause = chain(&error), "what edges said could not be written down yet");
        }
    }
}

/// Writes one portion. What could not be written is tried again, as it is then.
async fn write(context: &Context, fleet: &Fleet) -> Result<()> {
    let words = fleet.take_words(ROWS_MAX);
    let told = words.clone();
    match context.db.write_relaxed(move |tx| edge_channels::put(tx, &told)).await {
        Ok(unknown) => {
            fleet.put_back(words.into_iter().filter(|word| unknown.contains(&word.edge)).collect());
            Ok(())
        }
        Err(error) => {
            fleet.put_back(words);
            Err(Error::Database(error))
        }
    }
}
