//! This file's job is to serve bundles.

use super::encode;
use crate::app::{bundles, lookup};
use crate::auth::caller::caller;
use crate::context::Context;
use crate::names;
use crate::paging::List;
use domain::id::BundleId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The bundle service.
#[derive(Clone)]
pub struct Bundles {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::bundle_service_server::BundleService for Bundles {
    async fn get_bundle(
        &self,
        request: Request<v1::GetBundleRequest>,
    ) -> Result<Response<v1::GetBundleResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::bundle("name", &request.get_ref().name)?;
        let found = self.context.read(move |conn| {
            let bundle = lookup::bundle(conn, &caller.scope, &path)?;
            let files = db::bundles::files(conn, &caller.scope, &bundle.id)?;
            let build = db::bundle_builds::find(conn, &caller.scope, &bundle.id)?;
            Ok((bundle, files, build))
        });
        let (bundle, files, build) = found.await?;
        let (bundle, build) = (encode::bundle(&bundle, &files), build.as_ref().map(encode::build));
        Ok(Response::new(v1::GetBundleResponse { bundle: Some(bundle), build }))
    }

    async fn read_bundle_file(
        &self,
        request: Request<v1::ReadBundleFileRequest>,
    ) -> Result<Response<v1::ReadBundleFileResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::bundle("name", &request.name)?;
        let file = self.context.read(move |conn| bundles::file(conn, &caller.scope, &path, &request.path)).await?;
        let data = bundles::read(&self.context.store, &file, request.offset_bytes).await?;
        Ok(Response::new(v1::ReadBundleFileResponse { data }))
    }

    async fn list_bundles(
        &self,
        request: Request<v1::ListBundlesRequest>,
    ) -> Result<Response<v1::ListBundlesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let parent = names::app("parent", &request.parent)?;
        let list = List { method: "ListBundles", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<BundleId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &scope, &parent)?;
            Ok(db::bundles::list(conn, &scope, &app.id, after.as_ref().map(BundleId::as_str), limit)?)
        });
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let bundles = rows.iter().map(|row| encode::bundle(row, &[])).collect();
        Ok(Response::new(v1::ListBundlesResponse { bundles, next_page_token }))
    }

    async fn delete_bundle(
        &self,
        request: Request<v1::DeleteBundleRequest>,
    ) -> Result<Response<v1::DeleteBundleResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::bundle("name", &request.get_ref().name)?;
        self.context.write(caller, move |tx, change| bundles::delete(tx, change, &path)).await?;
        Ok(Response::new(v1::DeleteBundleResponse {}))
    }
}
