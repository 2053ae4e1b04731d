//! This file's job is to serve releases.

use super::encode;
use crate::app::lookup;
use crate::app::releases::{
    self, DiffQuestion, Promotion, Publication, RollBack, Served, SetRollout, Signing, Update, View,
};
use crate::auth::caller::caller;
use crate::context::{Context, Once, Outcome};
use crate::error;
use crate::names;
use crate::paging::List;
use proto::v1;
use tonic::{Request, Response, Status};

/// The release service.
#[derive(Clone)]
pub struct Releases {
    /// What use cases need.
    pub context: Context,
}

/// Keeps a new release, or only shows what it would be.
fn outcome<A>(view: &View, validate_only: bool, answer: impl FnOnce(v1::Release) -> A) -> error::Result<Outcome<A>> {
    if validate_only {
        Ok(Outcome::Undo(answer(encode::validated_release(view)?)))
    } else {
        Ok(Outcome::Keep(answer(encode::release(view)?)))
    }
}

#[tonic::async_trait]
impl v1::release_service_server::ReleaseService for Releases {
    async fn create_release(
        &self,
        request: Request<v1::CreateReleaseRequest>,
    ) -> Result<Response<v1::CreateReleaseResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("CreateRelease", &request.request_id, &request)?;
        let (publication, vault) = (Publication::new(&request)?, self.context.vault.clone());
        let made = self.context.write_once(caller, once, move |tx, change| {
            let view = releases::publish(tx, change, &vault, &publication)?;
            outcome(&view, request.validate_only, |release| v1::CreateReleaseResponse { release: Some(release) })
        });
        Ok(Response::new(made.await?))
    }

    async fn get_release(
        &self,
        request: Request<v1::GetReleaseRequest>,
    ) -> Result<Response<v1::GetReleaseResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::release("name", &request.get_ref().name)?;
        let now = self.context.clock.now();
        let found = self.context.read(move |conn| {
            let (_channel, release) = lookup::release(conn, &caller.scope, &path)?;
            encode::release_details(releases::details(conn, &caller.scope, release, now)?)
        });
        Ok(Response::new(found.await?))
    }

    async fn diff_releases(
        &self,
        request: Request<v1::DiffReleasesRequest>,
    ) -> Result<Response<v1::DiffReleasesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let question = DiffQuestion::new(&request)?;
        let between = format!("{} {}", request.name, request.old_release);
        let list = List { method: "DiffReleases", parent: &between, organization: caller.organization() };
        let page = self.context.pages.read::<usize>(list, request.page_size, &request.page_token)?;
        let found = releases::diff(&self.context, caller.scope.clone(), question).await?;
        let (changes, next) = found.page(page.after.unwrap_or(0), page.limit as usize);
        let token = next.map(|next| self.context.pages.write(list, &next.to_string())).unwrap_or_default();
        Ok(Response::new(encode::difference(&found, changes, token)))
    }

    async fn list_releases(
        &self,
        request: Request<v1::ListReleasesRequest>,
    ) -> Result<Response<v1::ListReleasesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::channel("parent", &request.parent)?;
        let list = List { method: "ListReleases", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<u64>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after, page.probe());
        let listed = self.context.read(move |conn| {
            let channel = lookup::channel(conn, &scope, &path)?;
            let rows = db::releases::list(conn, &scope, &channel.id, after, limit)?;
            let views = releases::views(conn, &scope, rows)?;
            let bundles: Vec<_> = views.iter().filter_map(|view| view.bundle_hash).collect();
            Ok((views, releases::served(conn, &channel.app, &bundles)?))
        });
        let (mut views, served) = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut views, |view| view.release.seq.to_string());
        let none = Served::new();
        let served = |view: &View| view.bundle_hash.and_then(|hash| served.get(&hash)).unwrap_or(&none);
        let releases = views.iter().map(|view| encode::listed_release(view, served(view))).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListReleasesResponse { releases, next_page_token }))
    }

    async fn update_release(
        &self,
        request: Request<v1::UpdateReleaseRequest>,
    ) -> Result<Response<v1::UpdateReleaseResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let mask = request.update_mask.unwrap_or_default().paths;
        let update = Update::new(&request.release.unwrap_or_default(), &mask, &request.etag)?;
        let view = self.context.write(caller, move |tx, change| releases::update(tx, change, &update)).await?;
        Ok(Response::new(v1::UpdateReleaseResponse { release: Some(encode::release(&view)?) }))
    }

    async fn delete_release(
        &self,
        request: Request<v1::DeleteReleaseRequest>,
    ) -> Result<Response<v1::DeleteReleaseResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::release("name", &request.name)?;
        let deleted = self.context.write(caller, move |tx, change| releases::delete(tx, change, &path, &request.etag));
        deleted.await?;
        Ok(Response::new(v1::DeleteReleaseResponse {}))
    }

    async fn promote_release(
        &self,
        request: Request<v1::PromoteReleaseRequest>,
    ) -> Result<Response<v1::PromoteReleaseResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("PromoteRelease", &request.request_id, &request)?;
        let (promotion, vault) = (Promotion::new(&request)?, self.context.vault.clone());
        let made = self.context.write_once(caller, once, move |tx, change| {
            let view = releases::promote(tx, change, &vault, &promotion)?;
            outcome(&view, request.validate_only, |release| v1::PromoteReleaseResponse { release: Some(release) })
        });
        Ok(Response::new(made.await?))
    }

    async fn set_rollout(
        &self,
        request: Request<v1::SetRolloutRequest>,
    ) -> Result<Response<v1::SetRolloutResponse>, Status> {
        let caller = caller(&request)?;
        let rollout = SetRollout::new(request.get_ref())?;
        let view = self.context.write(caller, move |tx, change| releases::set_rollout(tx, change, &rollout)).await?;
        Ok(Response::new(v1::SetRolloutResponse { release: Some(encode::release(&view)?) }))
    }

    async fn roll_back_channel(
        &self,
        request: Request<v1::RollBackChannelRequest>,
    ) -> Result<Response<v1::RollBackChannelResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("RollBackChannel", &request.request_id, &request)?;
        let (back, vault) = (RollBack::new(&request)?, self.context.vault.clone());
        let made = self.context.write_once(caller, once, move |tx, change| {
            let view = releases::roll_back(tx, change, &vault, &back)?;
            outcome(&view, request.validate_only, |release| v1::RollBackChannelResponse { release: Some(release) })
        });
        Ok(Response::new(made.await?))
    }

    async fn count_reports(
        &self,
        request: Request<v1::CountReportsRequest>,
    ) -> Result<Response<v1::CountReportsResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::channel("parent", &request.get_ref().parent)?;
        let counted = self.context.read(move |conn| releases::reports(conn, &caller.scope, &path)).await?;
        let releases = counted.iter().map(encode::reports).collect();
        Ok(Response::new(v1::CountReportsResponse { releases }))
    }

    async fn get_expo_update(
        &self,
        request: Request<v1::GetExpoUpdateRequest>,
    ) -> Result<Response<v1::GetExpoUpdateResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::release("name", &request.get_ref().name)?;
        let found = self.context.read(move |conn| releases::find_expo(conn, &caller.scope, &path)).await?;
        Ok(Response::new(encode::expo_update(found)))
    }

    async fn sign_expo_update(
        &self,
        request: Request<v1::SignExpoUpdateRequest>,
    ) -> Result<Response<v1::SignExpoUpdateResponse>, Status> {
        let caller = caller(&request)?;
        let signing = Signing::new(request.get_ref())?;
        let view = self.context.write(caller, move |tx, change| releases::sign_expo(tx, change, &signing)).await?;
        Ok(Response::new(v1::SignExpoUpdateResponse { release: Some(encode::release(&view)?) }))
    }
}
