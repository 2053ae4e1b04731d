//! This file's job is to keep the addresses that are told what happens in an organization.

use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::webhook;
use crate::{DbConn, Error, PAGE_MAX, Result, Scope, Tx};
use diesel::prelude::*;
use domain::Timestamp;
use domain::id::{AppId, OrganizationId, WebhookId};
use domain::webhook::WebhookEvent;

row! {
    /// An address that is told what happens.
    pub struct Webhook as WebhookRow in webhook {
        /// Its id.
        pub id: WebhookId,
        /// Whose it is.
        pub organization: OrganizationId,
        /// The app that it is told of; all of them when none.
        pub app: Option<AppId>,
        /// Where to send to.
        pub url: String,
        /// What it is told.
        pub events: Vec<WebhookEvent>,
        /// Whether it is told anything.
        pub enabled: bool,
        /// The secret that messages are signed with, sealed.
        pub sealed_secret: Vec<u8>,
        /// The id of the master key that it is sealed under.
        pub master_key: String,
        /// The secret before, sealed; messages are signed with it, too.
        pub previous_secret: Option<Vec<u8>>,
        /// The id of the master key that that one is sealed under.
        pub previous_master_key: Option<String>,
        /// How long messages are signed with the secret before.
        pub previous_until: Option<Timestamp>,
        /// Grows with every change.
        pub revision: u64,
        /// Who made it.
        pub created_by: String,
        /// When.
        pub created_at: Timestamp,
        /// When it was last changed.
        pub updated_at: Timestamp,
    }
}

/// Adds a webhook of the scope's organization.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Webhook) -> Result<()> {
    if row.organization != *scope.organization() {
        return Err(Error::not_found("organization"));
    }
    db!(tx, |c| diesel::insert_into(webhook::table).values(WebhookRow::from(row)).execute(c))?;
    Ok(())
}

/// Returns a webhook of the scope's organization.
pub fn get(conn: &mut DbConn, scope: &Scope, id: &WebhookId) -> Result<Webhook> {
    let found = db!(conn, |c| {
        webhook::table
            .find(id.as_str())
            .filter(webhook::organization.eq(scope.as_str()))
            .select(WebhookRow::as_select())
            .first(c)
            .optional()
    })?;
    found.ok_or(Error::not_found("webhook"))?.try_into()
}

/// Returns a webhook, none when it is gone. Not scoped: the worker asks.
pub fn find(conn: &mut DbConn, id: &WebhookId) -> Result<Option<Webhook>> {
    let found = db!(conn, |c| webhook::table.find(id.as_str()).select(WebhookRow::as_select()).first(c).optional())?;
    found.map(TryInto::try_into).transpose()
}

/// Lists the webhooks of the scope's organization, oldest first.
pub fn list(conn: &mut DbConn, scope: &Scope, after: Option<&WebhookId>, limit: u32) -> Result<Vec<Webhook>> {
    let rows: Vec<WebhookRow> = db!(conn, |c| {
        webhook::table
            .filter(webhook::organization.eq(scope.as_str()))
            .filter(webhook::id.gt(after.map_or("", WebhookId::as_str)))
            .order(webhook::id)
            .limit(page(limit))
            .select(WebhookRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Counts the webhooks that are told of an app only, or of the organization as a whole.
pub fn count(conn: &mut DbConn, scope: &Scope, app: Option<&AppId>) -> Result<usize> {
    let told = list_told(conn, scope.organization(), app)?;
    Ok(told.iter().filter(|row| row.app.as_ref() == app).count())
}

/// Lists the webhooks that are told what happens in an app: its own and those of the whole organization. Not scoped: what happens is told
/// whoever made it happen.
pub(crate) fn list_told(conn: &mut DbConn, organization: &OrganizationId, app: Option<&AppId>) -> Result<Vec<Webhook>> {
    // No app has an empty id.
    let app = app.map_or("", AppId::as_str);
    let rows: Vec<WebhookRow> = db!(conn, |c| {
        webhook::table
            .filter(webhook::organization.eq(organization.as_str()))
            .filter(webhook::app.is_null().or(webhook::app.eq(app)))
            .order(webhook::id)
            .limit(page(PAGE_MAX))
            .select(WebhookRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Changes a webhook that the caller has got, and counts its revision up; `Conflict` when somebody else changed it meanwhile.
pub fn apply(tx: &mut Tx<'_>, row: &Webhook, now: Timestamp) -> Result<Webhook> {
    let after = Webhook { revision: row.revision + 1, updated_at: now, ..row.clone() };
    let changed = db!(tx, |c| {
        diesel::update(webhook::table.find(row.id.as_str()))
            .filter(webhook::revision.eq(row.revision.to_sql()))
            .set((
                webhook::url.eq(&after.url),
                webhook::events.eq(after.events.to_sql()),
                webhook::enabled.eq(after.enabled),
                webhook::sealed_secret.eq(&after.sealed_secret),
                webhook::master_key.eq(&after.master_key),
                webhook::previous_secret.eq(&after.previous_secret),
                webhook::previous_master_key.eq(&after.previous_master_key),
                webhook::previous_until.eq(after.previous_until.to_sql()),
                webhook::revision.eq(after.revision.to_sql()),
                webhook::updated_at.eq(now.as_us()),
            ))
            .execute(c)
    })?;
    if changed == 1 { Ok(after) } else { Err(Error::Conflict { what: "webhook" }) }
}

/// Turns a webhook off because its receiver wants no more. Not scoped: the worker does.
pub fn turn_off(tx: &mut Tx<'_>, id: &WebhookId, now: Timestamp) -> Result<()> {
    match find(tx, id)?.filter(|row| row.enabled) {
        Some(row) => apply(tx, &Webhook { enabled: false, ..row }, now).map(drop),
        None => Ok(()),
    }
}

/// Forgets a webhook of the scope's organization, with everything that was sent to it.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, id: &WebhookId) -> Result<()> {
    get(tx, scope, id)?;
    db!(tx, |c| diesel::delete(webhook::table.find(id.as_str())).execute(c))?;
    Ok(())
}

/// Forgets the webhooks that are told of one app only: it leaves the organization.
pub(crate) fn delete_of_app(tx: &mut Tx<'_>, app: &AppId) -> Result<()> {
    db!(tx, |c| diesel::delete(webhook::table.filter(webhook::app.eq(app.as_str()))).execute(c))?;
    Ok(())
}

/// Lists webhooks with a secret that is sealed under another master key than this one. Not scoped: the operator asks.
pub fn list_sealed_otherwise(conn: &mut DbConn, master_key: &str, limit: u32) -> Result<Vec<Webhook>> {
    let rows: Vec<WebhookRow> = db!(conn, |c| {
        webhook::table
            .filter(webhook::master_key.ne(master_key).or(webhook::previous_master_key.ne(master_key)))
            .order(webhook::id)
            .limit(page(limit))
            .select(WebhookRow::as_select())
            .load(c)
    })?;
    all(rows)
}
