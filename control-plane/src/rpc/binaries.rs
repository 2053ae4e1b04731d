//! This file's job is to serve binaries.

use super::encode;
use crate::app::binaries::{self, NewBinary, Update};
use crate::app::lookup;
use crate::auth::caller::caller;
use crate::context::{Context, Once, Outcome};
use crate::names;
use crate::paging::List;
use domain::id::BinaryId;
use proto::v1;
use tonic::{Request, Response, Status};

/// The binary service.
#[derive(Clone)]
pub struct Binaries {
    /// What use cases need.
    pub context: Context,
}

#[tonic::async_trait]
impl v1::binary_service_server::BinaryService for Binaries {
    async fn create_binary(
        &self,
        request: Request<v1::CreateBinaryRequest>,
    ) -> Result<Response<v1::CreateBinaryResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("CreateBinary", &request.request_id, &request)?;
        let new = NewBinary::new(&request.parent, &request.binary.unwrap_or_default())?;
        let made = self.context.write_once(caller, once, move |tx, change| {
            let binary = binaries::create(tx, change, &new)?;
            Ok(Outcome::Keep(v1::CreateBinaryResponse { binary: Some(encode::binary(&binary)) }))
        });
        Ok(Response::new(made.await?))
    }

    async fn get_binary(
        &self,
        request: Request<v1::GetBinaryRequest>,
    ) -> Result<Response<v1::GetBinaryResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::binary("name", &request.get_ref().name)?;
        let binary = self.context.read(move |conn| lookup::binary(conn, &caller.scope, &path)).await?;
        Ok(Response::new(v1::GetBinaryResponse { binary: Some(encode::binary(&binary)) }))
    }

    async fn list_binaries(
        &self,
        request: Request<v1::ListBinariesRequest>,
    ) -> Result<Response<v1::ListBinariesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let parent = names::app("parent", &request.parent)?;
        let list = List { method: "ListBinaries", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<BinaryId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &scope, &parent)?;
            Ok(db::binaries::list(conn, &scope, &app.id, after.as_ref().map(BinaryId::as_str), limit)?)
        });
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        let binaries = rows.iter().map(encode::binary).collect();
        Ok(Response::new(v1::ListBinariesResponse { binaries, next_page_token }))
    }

    async fn update_binary(
        &self,
        request: Request<v1::UpdateBinaryRequest>,
    ) -> Result<Response<v1::UpdateBinaryResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let mask = request.update_mask.unwrap_or_default().paths;
        let update = Update::new(&request.binary.unwrap_or_default(), &mask, &request.etag)?;
        let binary = self.context.write(caller, move |tx, change| binaries::update(tx, change, &update)).await?;
        Ok(Response::new(v1::UpdateBinaryResponse { binary: Some(encode::binary(&binary)) }))
    }

    async fn delete_binary(
        &self,
        request: Request<v1::DeleteBinaryRequest>,
    ) -> Result<Response<v1::DeleteBinaryResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::binary("name", &request.name)?;
        let deleted = self.context.write(caller, move |tx, change| binaries::delete(tx, change, &path, &request.etag));
        deleted.await?;
        Ok(Response::new(v1::DeleteBinaryResponse {}))
    }
}
