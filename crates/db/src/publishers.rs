//! This file's job is to keep trusted publishers, and which tokens of theirs were used.

use crate::apps::apps_of;
use crate::channels::channel_in;
use crate::column::{Column as _, all, page, row};
use crate::dialect::db;
use crate::schema::{api_key, app, channel, organization, publisher, used_token};
use crate::{DbConn, Error, PAGE_MAX, Result, Scope, Tx};
use diesel::prelude::*;
use domain::id::{AppId, ChannelId, OrganizationId, PublisherId};
use domain::{AppSlug, ChannelName, Environment, Sha256, Timestamp};

row! {
    /// A workflow of a repository that may publish to a channel.
    pub struct Publisher as PublisherRow in publisher {
        /// Its id.
        pub id: PublisherId,
        /// The app.
        pub app: AppId,
        /// The channel.
        pub channel: ChannelId,
        /// Who says what runs.
        pub issuer: String,
        /// The repository's path, for people: it may be renamed.
        pub repository: String,
        /// The repository's id at its forge.
        pub repository_id: String,
        /// The id of the repository's owner there.
        pub owner_id: String,
        /// The path of the workflow's file.
        pub workflow: String,
        /// The only environment that it may run in.
        pub environment: Option<String>,
        /// The only branch or tag that it may run for.
        pub reference: Option<String>,
        /// Who added it.
        pub created_by: String,
        /// When.
        pub created_at: Timestamp,
    }
}

row! {
    /// A token that was used.
    pub struct UsedToken as UsedTokenRow in used_token {
        /// SHA-256 of issuer and id.
        pub token_hash: Sha256,
        /// When nobody could believe it any more.
        pub expires_at: Timestamp,
    }
}

/// A publisher with where it publishes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The publisher.
    pub publisher: Publisher,
    /// Whose app it is.
    pub organization: OrganizationId,
    /// Whether that organization may only look.
    pub suspended: bool,
    /// The app's name in addresses.
    pub app_slug: AppSlug,
    /// The channel's name.
    pub channel_name: ChannelName,
    /// Which keys may see the channel.
    pub environment: Environment,
}

/// Adds a publisher. Its channel must be in the scope, and of its app.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, row: &Publisher) -> Result<()> {
    let known: i64 = db!(tx, |c| {
        channel::table
            .find(row.channel.as_str())
            .filter(channel::app.eq(row.app.as_str()))
            .filter(channel::app.eq_any(apps_of!(scope)))
            .filter(channel_in!(scope))
            .count()
            .get_result(c)
    })?;
    if known == 0 {
        return Err(Error::not_found("channel"));
    }
    db!(tx, |c| diesel::insert_into(publisher::table).values(PublisherRow::from(row)).execute(c))?;
    Ok(())
}

/// Lists the publishers of an app, oldest first; an app has few.
pub fn list(conn: &mut DbConn, scope: &Scope, app: &AppId) -> Result<Vec<Publisher>> {
    crate::apps::get(conn, scope, app)?;
    let rows: Vec<PublisherRow> = db!(conn, |c| {
        publisher::table
            .inner_join(channel::table)
            .filter(publisher::app.eq(app.as_str()))
            .filter(channel_in!(scope))
            .order(publisher::id)
            .limit(page(PAGE_MAX))
            .select(PublisherRow::as_select())
            .load(c)
    })?;
    all(rows)
}

/// Removes a publisher of an app.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, app: &AppId, id: &PublisherId) -> Result<()> {
    let seen = list(tx, scope, app)?.iter().any(|row| row.id == *id);
    if !seen {
        return Err(Error::not_found("trusted publisher"));
    }
    db!(tx, |c| diesel::delete(publisher::table.find(id.as_str())).execute(c))?;
    Ok(())
}

/// Lists the publishers of a repository, whoever they belong to. Not scoped: a workflow belongs to nothing yet.
pub fn list_of_repository(conn: &mut DbConn, issuer: &str, repository_id: &str) -> Result<Vec<Found>> {
    type Row = (PublisherRow, String, bool, String, String, String);
    let rows: Vec<Row> = db!(conn, |c| {
        publisher::table
            .inner_join(channel::table)
            .inner_join(app::table.inner_join(organization::table))
            .filter(publisher::issuer.eq(issuer))
            .filter(publisher::repository_id.eq(repository_id))
            .order(publisher::id)
            .limit(page(PAGE_MAX))
            .select((
                PublisherRow::as_select(),
                organization::id,
                organization::suspended,
                app::slug,
                channel::name,
                channel::environment,
            ))
            .load(c)
    })?;
    let found = |(publisher, organization, suspended, slug, name, environment): Row| {
        Ok(Found {
            publisher: publisher.try_into()?,
            organization: OrganizationId::from_sql(organization)?,
            suspended,
            app_slug: AppSlug::from_sql(slug)?,
            channel_name: ChannelName::from_sql(name)?,
            environment: Environment::from_sql(environment)?,
        })
    };
    rows.into_iter().map(found).collect()
}

/// Uses a token up; `AlreadyExists` when it was used before.
pub fn use_token(tx: &mut Tx<'_>, row: &UsedToken) -> Result<()> {
    db!(tx, |c| diesel::insert_into(used_token::table).values(UsedTokenRow::from(row)).execute(c))
        .map_err(|error| Error::from(error).exists_as("token"))?;
    Ok(())
}

/// Forgets used tokens that nobody could believe any more, and keys that were exchanged for tokens and ended before the second time.
pub fn trim(tx: &mut Tx<'_>, now: Timestamp, keys_before: Timestamp) -> Result<usize> {
    db!(tx, |c| diesel::delete(used_token::table).filter(used_token::expires_at.lt(now.as_us())).execute(c))?;
    Ok(db!(tx, |c| {
        diesel::delete(api_key::table)
            .filter(api_key::created_by.like("pub\\_%").escape('\\'))
            .filter(api_key::expires_at.lt(keys_before.as_us()))
            .execute(c)
    })?)
}
