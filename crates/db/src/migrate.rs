//! This file's job is to bring the tables of either database up to date.

use crate::database::DbConn;
use crate::dialect::{Place, with_migration_lock};
use crate::error::{Error, Result};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Runs every migration that has not run. Safe to call from many processes at once.
pub(crate) fn run(place: &Place) -> Result<()> {
    let mut conn = place.open()?;
    with_migration_lock(&mut conn, |conn| {
        let ran = match conn {
            DbConn::Sqlite(c) => c.run_pending_migrations(SQLITE).map(|ran| ran.len()),
            DbConn::Pg(c) => c.run_pending_migrations(POSTGRES).map(|ran| ran.len()),
        };
        let ran = ran.map_err(Error::Internal)?;
        if ran > 0 {
            tracing::info!(migrations = ran, "database migrated");
        }
        Ok(())
    })
}
