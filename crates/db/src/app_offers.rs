//! This file's job is to move apps between organizations: one offers, the other one accepts.

use crate::apps::{self, App};
use crate::column::{Column as _, page, row};
use crate::dialect::db;
use crate::schema::{
    app, app_offer, bundle, bundle_contents, bundle_file, bundle_source_map, delta, organization, package,
    package_diff, upload,
};
use crate::{DbConn, Error, PAGE_MAX, Result, Scope, Tx, UploadState, channels};
use diesel::prelude::*;
use domain::id::{AppId, OrganizationId};
use domain::{AppSlug, Timestamp};

row! {
    /// An offer. An app has at most one.
    pub struct Offer as OfferRow in app_offer {
        /// The app.
        pub app: AppId,
        /// The organization that may have it; whether there is one, nobody is told.
        pub target: OrganizationId,
        /// Who offered it.
        pub offered_by: String,
        /// When.
        pub created_at: Timestamp,
        /// When it ends.
        pub expires_at: Timestamp,
    }
}

/// An offer with what the organization that gets it may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The offer.
    pub offer: Offer,
    /// The app's slug.
    pub slug: AppSlug,
    /// The app's name for people.
    pub name: String,
    /// Whose app it is.
    pub owner: OrganizationId,
    /// That organization's name for people.
    pub owner_name: String,
}

/// Offers an app of the scope, in the place of an earlier offer.
pub fn put(tx: &mut Tx<'_>, scope: &Scope, row: &Offer) -> Result<()> {
    delete(tx, scope, &row.app)?;
    db!(tx, |c| diesel::insert_into(app_offer::table).values(OfferRow::from(row)).execute(c))?;
    Ok(())
}

/// Takes the offer of an app of the scope back, and says whether there was one.
pub fn delete(tx: &mut Tx<'_>, scope: &Scope, id: &AppId) -> Result<bool> {
    apps::get(tx, scope, id)?;
    Ok(db!(tx, |c| diesel::delete(app_offer::table.find(id.as_str())).execute(c))? == 1)
}

/// Lists the apps that the organization is offered, oldest app first.
pub fn list(conn: &mut DbConn, scope: &Scope, now: Timestamp) -> Result<Vec<Offered>> {
    type Row = (OfferRow, String, String, String, String);
    let rows: Vec<Row> = db!(conn, |c| {
        app_offer::table
            .inner_join(app::table.inner_join(organization::table))
            .filter(app_offer::target.eq(scope.as_str()))
            .filter(app_offer::expires_at.gt(now.as_us()))
            .order(app_offer::app)
            .limit(page(PAGE_MAX))
            .select((OfferRow::as_select(), app::slug, app::name, organization::id, organization::name))
            .load(c)
    })?;
    let offered = |(offer, slug, name, owner, owner_name): Row| {
        let (slug, owner) = (AppSlug::from_sql(slug)?, OrganizationId::from_sql(owner)?);
        Ok(Offered { offer: offer.try_into()?, slug, name, owner, owner_name })
    };
    rows.into_iter().map(offered).collect()
}

/// Declines the offer of an app; not found when the organization has none.
pub fn decline(tx: &mut Tx<'_>, scope: &Scope, id: &AppId) -> Result<()> {
    let deleted = db!(tx, |c| {
        diesel::delete(app_offer::table.find(id.as_str())).filter(app_offer::target.eq(scope.as_str())).execute(c)
    })?;
    if deleted == 1 { Ok(()) } else { Err(Error::not_found("offer")) }
}

/// Takes an offered app over with everything in it, under this slug. The blobs of its bundles are the new organization's from then on,
/// too. `FailedPrecondition` while uploads are under way; `AlreadyExists` when the slug is taken.
pub fn accept(tx: &mut Tx<'_>, scope: &Scope, offered: &Offered, slug: &AppSlug, now: Timestamp) -> Result<App> {
    decline(tx, scope, &offered.offer.app)?;
    let from = Scope::authorized(offered.owner.clone());
    let before = apps::get(tx, &from, &offered.offer.app)?;
    if has_open_uploads(tx, &before.id)? {
        return Err(Error::FailedPrecondition { rule: "the app has uploads under way: wait for their end" });
    }
    copy_blobs(tx, &from, scope, &before.id, now)?;
    let after = App {
        organization: scope.organization().clone(),
        slug: slug.clone(),
        revision: before.revision + 1,
        updated_at: now,
        ..before
    };
    let changed = db!(tx, |c| {
        diesel::update(app::table.find(after.id.as_str()))
            .filter(app::organization.eq(from.as_str()))
            .set((
                app::organization.eq(scope.as_str()),
                app::slug.eq(after.slug.as_str()),
                app::revision.eq(after.revision.to_sql()),
                app::updated_at.eq(now.as_us()),
            ))
            .execute(c)
    })
    .map_err(|error| Error::from(error).exists_as("app"))?;
    if changed != 1 {
        return Err(Error::Conflict { what: "app" });
    }
    // They would tell the former owner what happens, or nobody.
    crate::webhooks::delete_of_app(tx, &after.id)?;
    channels::touch_all(tx, &after.id, now)?;
    // Its devices count where it is.
    for organization in [from.organization(), scope.organization()] {
        crate::device_counts::settle(tx, organization, now)?;
    }
    Ok(after)
}

fn has_open_uploads(conn: &mut DbConn, id: &AppId) -> Result<bool> {
    let open = [UploadState::Receiving, UploadState::Queued, UploadState::Processing].map(UploadState::as_str);
    let count: i64 = db!(conn, |c| {
        upload::table.filter(upload::app.eq(id.as_str())).filter(upload::state.eq_any(open)).count().get_result(c)
    })?;
    Ok(count > 0)
}

/// Blobs belong to organizations; their bytes are in the store once, whoever has them.
fn copy_blobs(tx: &mut Tx<'_>, from: &Scope, to: &Scope, id: &AppId, now: Timestamp) -> Result<()> {
    let hashes: Vec<Vec<u8>> = db!(tx, |c| {
        let mut hashes: Vec<Vec<u8>> = bundle_file::table
            .inner_join(bundle::table)
            .filter(bundle::app.eq(id.as_str()))
            .select(bundle_file::sha256)
            .distinct()
            .load(c)?;
        let patches: Vec<Vec<u8>> = delta::table
            .filter(delta::to_bundle.eq_any(bundle::table.filter(bundle::app.eq(id.as_str())).select(bundle::id)))
            .select(delta::blob_sha256)
            .distinct()
            .load(c)?;
        let ids = || bundle::table.filter(bundle::app.eq(id.as_str())).select(bundle::id);
        let known: Vec<Vec<u8>> = bundle_contents::table
            .filter(bundle_contents::bundle.eq_any(ids()))
            .select(bundle_contents::sha256)
            .load(c)?;
        let maps: Vec<Vec<u8>> = bundle_source_map::table
            .filter(bundle_source_map::bundle.eq_any(ids()))
            .select(bundle_source_map::sha256)
            .load(c)?;
        hashes.extend(patches.into_iter().chain(known).chain(maps));
        let packages = package::table.filter(package::bundle.eq_any(ids())).select(package::blob_sha256);
        hashes.extend(packages.load::<Vec<u8>>(c)?);
        let diffs = package_diff::table.filter(package_diff::to_bundle.eq_any(ids()));
        hashes.extend(diffs.select(package_diff::blob_sha256).load::<Vec<u8>>(c)?);
        Ok::<_, diesel::result::Error>(hashes)
    })?;
    let hashes = hashes.into_iter().map(domain::Sha256::from_sql).collect::<Result<Vec<_>>>()?;
    let blobs = crate::blobs::find_many(tx, from, &hashes)?;
    crate::blobs::insert_missing(tx, to, &blobs, now)?;
    crate::variants::copy(tx, from, to, &hashes, now)
}

/// Forgets offers that ended before the time.
pub fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize> {
    Ok(db!(tx, |c| diesel::delete(app_offer::table).filter(app_offer::expires_at.lt(before.as_us())).execute(c))?)
}
