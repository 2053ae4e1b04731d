//! This file's job is to keep what happens in each organization, in order, for those who watch.
//!
//! An entry says which thing changed, not how: a reader looks at the thing itself. Entries are written last in their transaction,
//! under the lock of the organization's row, so numbers have no gaps and become visible in order: whoever has read up to a number
//! has missed nothing below it.

use crate::column::{Column as _, IN_LIST_MAX, INSERT_ROWS_MAX, all, page, row};
use crate::dialect::db;
use crate::schema::{app, feed, feed_entry};
use crate::{DbConn, Error, FeedSubject, Result, Scope, Tx};
use diesel::prelude::*;
use domain::id::{AppId, OrganizationId, UploadId};
use domain::{ChannelName, Timestamp};
use std::collections::BTreeMap;

row! {
    /// An entry as it is stored.
    pub(crate) struct StoredEntry as StoredEntryRow in feed_entry {
        pub organization: OrganizationId,
        pub seq: i64,
        pub app: AppId,
        pub subject_kind: FeedSubject,
        pub subject: String,
        pub stage: String,
        pub at: Timestamp,
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An upload.
    Upload(UploadId),
    /// A channel, by the name that it has or had.
    Channel(ChannelName),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the organization, from 1.
    pub seq: i64,
    /// The app.
    pub app: AppId,
    /// What changed.
    pub subject: Subject,
    /// What was reached with the change, for instance `unpacked`; empty for plain changes.
    pub stage: String,
    /// When.
    pub at: Timestamp,
}

/// Where a feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The number of the newest entry; 0 before the first.
    pub last_seq: i64,
    /// Entries up to this number are kept no more.
    pub trimmed_seq: i64,
}

/// An entry that its transaction has not written yet.
pub(crate) struct Pending {
    organization: OrganizationId,
    entry: Entry,
}

/// Notes that an upload reached a stage of its processing, for those who watch. It is written when the transaction commits.
pub fn note_stage(tx: &mut Tx<'_>, scope: &Scope, app: &AppId, upload: &UploadId, stage: &str, now: Timestamp) {
    let subject = Subject::Upload(upload.clone());
    let entry = Entry { seq: 0, app: app.clone(), subject, stage: stage.to_owned(), at: now };
    tx.note_entry(Pending { organization: scope.organization().clone(), entry });
}

/// Notes that an upload changed.
pub(crate) fn note_upload(
    tx: &mut Tx<'_>,
    organization: &OrganizationId,
    app: AppId,
    upload: &UploadId,
    now: Timestamp,
) {
    let entry = Entry { seq: 0, app, subject: Subject::Upload(upload.clone()), stage: String::new(), at: now };
    tx.note_entry(Pending { organization: organization.clone(), entry });
}

/// Notes that a channel changed. Nobody watches an app that is gone.
pub(crate) fn note_channel(tx: &mut Tx<'_>, app: &AppId, name: &ChannelName, now: Timestamp) -> Result<()> {
    let organization: Option<String> =
        db!(tx, |c| app::table.find(app.as_str()).select(app::organization).first(c).optional())?;
    if let Some(organization) = organization {
        let organization = OrganizationId::from_sql(organization)?;
        let subject = Subject::Channel(name.clone());
        let entry = Entry { seq: 0, app: app.clone(), subject, stage: String::new(), at: now };
        tx.note_entry(Pending { organization, entry });
    }
    Ok(())
}

/// Writes what a transaction noted, as its last statements.
pub(crate) fn flush(tx: &mut Tx<'_>) -> Result<()> {
    // In one order, so that two transactions cannot wait for each other.
    let mut by_organization: BTreeMap<OrganizationId, Vec<Entry>> = BTreeMap::new();
    for Pending { organization, entry } in tx.take_entries() {
        by_organization.entry(organization).or_default().push(entry);
    }
    for (organization, entries) in by_organization {
        append(tx, &organization, entries)?;
    }
    Ok(())
}

fn append(tx: &mut Tx<'_>, organization: &OrganizationId, entries: Vec<Entry>) -> Result<()> {
    let count = i64::try_from(entries.len()).map_err(Error::internal)?;
    let last_seq: i64 = db!(tx, |c| {
        diesel::insert_into(feed::table)
            .values((
                feed::organization.eq(organization.as_str()),
                feed::last_seq.eq(count),
                feed::trimmed_seq.eq(0_i64),
            ))
            .on_conflict(feed::organization)
            .do_update()
            .set(feed::last_seq.eq(feed::last_seq + count))
            .returning(feed::last_seq)
            .get_result(c)
    })?;
    let rows: Vec<StoredEntryRow> = (last_seq - count + 1..)
        .zip(entries)
        .map(|(seq, entry)| {
            let (subject_kind, subject) = match &entry.subject {
                Subject::Upload(id) => (FeedSubject::Upload, id.to_string()),
                Subject::Channel(name) => (FeedSubject::Channel, name.to_string()),
            };
            let (organization, Entry { app, stage, at, .. }) = (organization.clone(), entry);
            StoredEntryRow::from(&StoredEntry { organization, seq, app, subject_kind, subject, stage, at })
        })
        .collect();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let part: Vec<StoredEntryRow> = rows.by_ref().take(INSERT_ROWS_MAX).collect();
        db!(tx, |c| diesel::insert_into(feed_entry::table).values(part).execute(c))?;
    }
    Ok(())
}

/// Returns where an organization's feed stands.
pub fn head(conn: &mut DbConn, organization: &OrganizationId) -> Result<Head> {
    let found: Option<(i64, i64)> = db!(conn, |c| {
        feed::table.find(organization.as_str()).select((feed::last_seq, feed::trimmed_seq)).first(c).optional()
    })?;
    Ok(found.map_or_else(Head::default, |(last_seq, trimmed_seq)| Head { last_seq, trimmed_seq }))
}

/// Returns those of the organizations whose feed has entries behind the number, with that number.
pub fn moved(conn: &mut DbConn, known: &[(OrganizationId, i64)]) -> Result<Vec<(OrganizationId, i64)>> {
    let mut moved = Vec::new();
    for part in known.chunks(IN_LIST_MAX) {
        let ids: Vec<&str> = part.iter().map(|(organization, _)| organization.as_str()).collect();
        let heads: Vec<(String, i64)> = db!(conn, |c| {
            feed::table.filter(feed::organization.eq_any(ids)).select((feed::organization, feed::last_seq)).load(c)
        })?;
        let heads: BTreeMap<String, i64> = heads.into_iter().collect();
        let has_moved = |(organization, seq): &&(OrganizationId, i64)| {
            heads.get(organization.as_str()).is_some_and(|last| last > seq)
        };
        moved.extend(part.iter().filter(has_moved).cloned());
    }
    Ok(moved)
}

/// Lists the entries behind a number, oldest first.
pub fn list_after(conn: &mut DbConn, organization: &OrganizationId, seq: i64, limit: u32) -> Result<Vec<Entry>> {
    let rows: Vec<StoredEntryRow> = db!(conn, |c| {
        feed_entry::table
            .filter(feed_entry::organization.eq(organization.as_str()).and(feed_entry::seq.gt(seq)))
            .order(feed_entry::seq)
            .limit(page(limit))
            .select(StoredEntryRow::as_select())
            .load(c)
    })?;
    all::<_, StoredEntry>(rows)?.into_iter().map(entry).collect()
}

fn entry(stored: StoredEntry) -> Result<Entry> {
    let subject = match stored.subject_kind {
        FeedSubject::Upload => Subject::Upload(stored.subject.parse()?),
        FeedSubject::Channel => Subject::Channel(stored.subject.parse()?),
    };
    Ok(Entry { seq: stored.seq, app: stored.app, subject, stage: stored.stage, at: stored.at })
}

/// Forgets entries from before the time, of at most `limit` organizations, and returns how many entries there were.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize> {
    let old: Vec<(String, Option<i64>)> = db!(tx, |c| {
        feed_entry::table
            .filter(feed_entry::at.lt(before.as_us()))
            .group_by(feed_entry::organization)
            .select((feed_entry::organization, diesel::dsl::max(feed_entry::seq)))
            .limit(page(limit))
            .load(c)
    })?;
    let mut trimmed = 0;
    for (organization, seq) in old {
        let Some(seq) = seq else { continue };
        trimmed += db!(tx, |c| {
            diesel::update(feed::table.find(&organization)).set(feed::trimmed_seq.eq(seq)).execute(c)?;
            let of_organization = feed_entry::organization.eq(&organization);
            diesel::delete(feed_entry::table.filter(of_organization.and(feed_entry::seq.le(seq)))).execute(c)
        })?;
    }
    Ok(trimmed)
}
