//! This file's job is to remember the edge proxies that have come by.

use crate::column::{all, page, row};
use crate::dialect::db;
use crate::schema::edge;
use crate::{DbConn, Result, Tx};
use diesel::prelude::*;
use diesel::upsert::excluded;
use domain::id::EdgeId;
use domain::{Sha256, Timestamp};

row! {
    /// An edge proxy's installation.
    pub struct Edge as EdgeRow in edge {
        /// Its id, which the edge keeps on its disk.
        pub id: EdgeId,
        /// Its name for people.
        pub name: String,
        /// Digest of the enrolment token that it showed.
        pub token_hash: Sha256,
        /// When it first came by.
        pub created_at: Timestamp,
        /// When it last came by.
        pub last_seen_at: Timestamp,
    }
}

/// Adds an edge, or updates the name, the token and the last visit of one that is known. Call it when a stream starts and then at
/// most once a minute.
pub fn upsert_seen(tx: &mut Tx<'_>, row: &Edge) -> Result<()> {
    db!(tx, |c| {
        diesel::insert_into(edge::table)
            .values(EdgeRow::from(row))
            .on_conflict(edge::id)
            .do_update()
            .set((
                edge::name.eq(excluded(edge::name)),
                edge::token_hash.eq(excluded(edge::token_hash)),
                edge::last_seen_at.eq(excluded(edge::last_seen_at)),
            ))
            .execute(c)
    })?;
    Ok(())
}

/// Returns an edge.
pub fn find(conn: &mut DbConn, id: &EdgeId) -> Result<Option<Edge>> {
    let found = db!(conn, |c| edge::table.find(id.as_str()).select(EdgeRow::as_select()).first(c).optional())?;
    found.map(TryInto::try_into).transpose()
}

/// Lists the edges that came by with the token of this digest, by id. Several edges may share a token.
pub fn find_by_token(conn: &mut DbConn, token_hash: &Sha256) -> Result<Vec<Edge>> {
    let rows: Vec<EdgeRow> = db!(conn, |c| {
        edge::table
            .filter(edge::token_hash.eq(token_hash.as_bytes().as_slice()))
            .order(edge::id)
            .select(EdgeRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Lists edges by id; `after` is the id of the last one of the page before.
pub fn list(conn: &mut DbConn, after: Option<&str>, limit: u32) -> Result<Vec<Edge>> {
    let rows: Vec<EdgeRow> = db!(conn, |c| {
        edge::table
            .filter(edge::id.gt(after.unwrap_or_default()))
            .order(edge::id)
            .limit(page(limit))
            .select(EdgeRow::as_select())
            .load(c)
    })?;
    all(rows)
}
