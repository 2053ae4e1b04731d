//! This file's job is to serve uploads.

use super::encode;
use crate::app::lookup;
use crate::app::uploads::{self, NewUpload, Piece, Turns};
use crate::auth::caller::caller;
use crate::context::{Context, Once, Outcome};
use crate::error::{self, Error};
use crate::names;
use crate::paging::List;
use crate::transfer;
use domain::Sha256;
use domain::bundle::BUNDLE_FILES_MAX;
use domain::id::UploadId;
use proto::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

/// A unary chunk is at most so large.
const CHUNK_MAX_BYTES: usize = 4 << 20;

/// The upload service.
#[derive(Clone)]
pub struct Uploads {
    /// What use cases need.
    pub context: Context,
    /// Whose turn it is at each upload.
    pub turns: Arc<Turns>,
}

fn hashes(wire: &[bytes::Bytes]) -> error::Result<Vec<Sha256>> {
    if wire.len() > BUNDLE_FILES_MAX {
        return Err(Error::field("sha256", format!("must be at most {BUNDLE_FILES_MAX}")));
    }
    wire.iter().map(|bytes| Ok(proto::convert::sha256_from_wire(bytes, "sha256")?)).collect()
}

#[tonic::async_trait]
impl v1::upload_service_server::UploadService for Uploads {
    async fn find_missing_blobs(
        &self,
        request: Request<v1::FindMissingBlobsRequest>,
    ) -> Result<Response<v1::FindMissingBlobsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let parent = names::app("parent", &request.parent)?;
        let wanted = hashes(&request.sha256)?;
        let asked = wanted.clone();
        let stored = self.context.read(move |conn| {
            lookup::app(conn, &caller.scope, &parent)?;
            Ok(db::blobs::find_many(conn, &caller.scope, &asked)?)
        });
        let missing_sha256 = encode::missing(&wanted, &stored.await?);
        Ok(Response::new(v1::FindMissingBlobsResponse { missing_sha256 }))
    }

    async fn create_upload(
        &self,
        request: Request<v1::CreateUploadRequest>,
    ) -> Result<Response<v1::CreateUploadResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let once = Once::new("CreateUpload", &request.request_id, &request)?;
        let bounds = self.context.bounds;
        let new = NewUpload::new(&request, bounds.upload_max_bytes)?;
        let made = self.context.write_once(caller, once, move |tx, change| {
            let upload = uploads::create(tx, change, &new, bounds.upload_keep)?;
            Ok(Outcome::Keep(v1::CreateUploadResponse { upload: Some(encode::upload(&upload)) }))
        });
        Ok(Response::new(made.await?))
    }

    async fn upload_chunks(
        &self,
        request: Request<Streaming<v1::UploadChunksRequest>>,
    ) -> Result<Response<v1::UploadChunksResponse>, Status> {
        let caller = caller(&request)?;
        let transfer = transfer::receive(self.context.clone(), Arc::clone(&self.turns), caller, request.into_inner());
        // A task of its own: when the caller goes away, what has arrived is still stored.
        let done = tokio::spawn(transfer).await;
        let upload = done.map_err(|cause| Error::Broken { what: "a transfer broke", cause: cause.into() })??;
        Ok(Response::new(v1::UploadChunksResponse { upload: Some(encode::upload(&upload)) }))
    }

    async fn upload_chunk(
        &self,
        request: Request<v1::UploadChunkRequest>,
    ) -> Result<Response<v1::UploadChunkResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let path = names::upload("name", &request.name)?;
        if request.data.is_empty() || request.data.len() > CHUNK_MAX_BYTES {
            return Err(Error::field("data", "must be 1 to 4194304 bytes").into());
        }
        let _turn = uploads::take_turn(&self.context, &self.turns, &caller, &path).await?;
        let upload = uploads::resume(&self.context, &caller, &path, request.offset).await?;
        let piece = Piece { offset: request.offset, bytes: request.data };
        let upload = uploads::append(&self.context, &caller, &upload, piece).await?;
        Ok(Response::new(v1::UploadChunkResponse { upload: Some(encode::upload(&upload)) }))
    }

    async fn get_upload(
        &self,
        request: Request<v1::GetUploadRequest>,
    ) -> Result<Response<v1::GetUploadResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::upload("name", &request.get_ref().name)?;
        let upload = self.context.read(move |conn| lookup::upload(conn, &caller.scope, &path)).await?;
        Ok(Response::new(v1::GetUploadResponse { upload: Some(encode::upload(&upload)) }))
    }

    async fn list_uploads(
        &self,
        request: Request<v1::ListUploadsRequest>,
    ) -> Result<Response<v1::ListUploadsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let parent = names::app("parent", &request.parent)?;
        let list = List { method: "ListUploads", parent: &request.parent, organization: caller.organization() };
        let page = self.context.pages.read::<UploadId>(list, request.page_size, &request.page_token)?;
        let (scope, after, limit) = (caller.scope.clone(), page.after.clone(), page.probe());
        let listed = self.context.read(move |conn| {
            let app = lookup::app(conn, &scope, &parent)?;
            Ok(db::uploads::list(conn, &scope, &app.id, after.as_ref().map(UploadId::as_str), limit)?)
        });
        let mut rows = listed.await?;
        let next_page_token = self.context.pages.finish(list, &page, &mut rows, |row| row.id.to_string());
        Ok(Response::new(v1::ListUploadsResponse {
            uploads: rows.iter().map(encode::upload).collect(),
            next_page_token,
        }))
    }

    async fn cancel_upload(
        &self,
        request: Request<v1::CancelUploadRequest>,
    ) -> Result<Response<v1::CancelUploadResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::upload("name", &request.get_ref().name)?;
        let _turn = uploads::take_turn(&self.context, &self.turns, &caller, &path).await?;
        let upload = uploads::cancel(&self.context, caller, path).await?;
        Ok(Response::new(v1::CancelUploadResponse { upload: Some(encode::upload(&upload)) }))
    }
}
