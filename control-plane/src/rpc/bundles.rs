//! This file's job is to serve bundles and their source maps.

use super::encode;
use crate::app::{bundles, lookup};
use crate::auth::caller::caller;
use crate::context::Context;
use crate::error::Error;
use crate::names;
use crate::paging::List;
use db::source_maps::SourceMap;
use domain::id::BundleId;
use proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The contract's bound for one message.
const PIECE_BYTES: u64 = 1 << 20;
/// Messages that wait for a slow reader.
const PIECES_WAITING: usize = 2;

type Piece = Result<v1::DownloadSourceMapResponse, Status>;

/// The bundle service.
#[derive(Clone)]
pub struct Bundles {
    /// What use cases need.
    pub context: Context,
}

/// Sends a source map, until the reader goes away or the server stops. The reader compares its hash.
async fn send(context: Context, map: SourceMap, sender: mpsc::Sender<Piece>) {
    let mut from = 0;
    loop {
        let until = map.size_bytes.min(from + PIECE_BYTES);
        let piece = context.store.get_range(&map.sha256, from..until).await;
        let source_map = (from == 0).then(|| encode::source_map(&map));
        let answer = piece.map(|data| v1::DownloadSourceMapResponse { source_map, data });
        let is_last = answer.is_err() || until == map.size_bytes;
        let sent = context.stop.run_until(sender.send(answer.map_err(|error| Error::from(error).into()))).await;
        if is_last || !matches!(sent, Some(Ok(()))) {
            if sent.is_none() {
                let _gone = sender.try_send(Err(Error::unavailable("the server is stopping").into()));
            }
            return;
        }
        from = until;
    }
}

#[tonic::async_trait]
impl v1::bundle_service_server::BundleService for Bundles {
    type DownloadSourceMapStream = ReceiverStream<Piece>;

    async fn get_bundle(
        &self,
        request: Request<v1::GetBundleRequest>,
    ) -> Result<Response<v1::GetBundleResponse>, Status> {
        let caller = caller(&request)?;
        let path = names::bundle("name", &request.get_ref().name)?;
        let view = self.context.read(move |conn| bundles::view(conn, &caller.scope, &path)).await?;
        let build = view.build.as_ref().map(encode::build);
        Ok(Response::new(v1::GetBundleResponse { bundle: Some(encode::whole_bundle(&view)), build }))
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

    async fn download_source_map(
        &self,
        request: Request<v1::DownloadSourceMapRequest>,
    ) -> Result<Response<Self::DownloadSourceMapStream>, Status> {
        let caller = caller(&request)?;
        let path = names::bundle("name", &request.get_ref().name)?;
        let map = self.context.write(caller, move |tx, change| bundles::open_source_map(tx, change, &path)).await?;
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        tokio::spawn(send(self.context.clone(), map, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
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
