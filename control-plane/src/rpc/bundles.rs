//! This file's job is to serve bundles and their source maps.

use super::encode;
use crate::app::{bundles, lookup};
use crate::auth::caller::caller;
use crate::context::Context;
use crate::error::Error;
use crate::names;
use crate::paging::List;
use bytes::Bytes;
use domain::Sha256;
use domain::id::BundleId;
use proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The contract's bound for one message.
const PIECE_BYTES: u64 = 1 << 20;
/// Messages that wait for a slow reader.
const PIECES_WAITING: usize = 2;

type Pieces<A> = ReceiverStream<Result<A, Status>>;

/// The bundle service.
#[derive(Clone)]
pub struct Bundles {
    /// What use cases need.
    pub context: Context,
}

impl Bundles {
    /// Streams a blob. `answer` makes a message of a piece, and knows whether it is the first one. The reader compares the hash.
    fn stream<A, F>(&self, sha256: Sha256, size_bytes: u64, answer: F) -> Response<Pieces<A>>
    where
        A: Send + 'static,
        F: Fn(bool, Bytes) -> A + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        tokio::spawn(send(self.context.clone(), (sha256, size_bytes), sender, answer));
        Response::new(ReceiverStream::new(receiver))
    }
}

/// Sends a blob, until the reader goes away or the server stops.
async fn send<A>(
    context: Context,
    (sha256, size_bytes): (Sha256, u64),
    sender: mpsc::Sender<Result<A, Status>>,
    answer: impl Fn(bool, Bytes) -> A,
) {
    let mut from = 0;
    loop {
        let until = size_bytes.min(from + PIECE_BYTES);
        let piece = context.store.get_range(&sha256, from..until).await;
        let piece = piece.map(|data| answer(from == 0, data)).map_err(|error| Error::from(error).into());
        let is_last = piece.is_err() || until == size_bytes;
        let sent = context.stop.run_until(sender.send(piece)).await;
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
    type DownloadPackageStream = Pieces<v1::DownloadPackageResponse>;
    type DownloadSourceMapStream = Pieces<v1::DownloadSourceMapResponse>;

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
        Ok(self.stream(map.sha256, map.size_bytes, move |is_first, data| {
            let source_map = is_first.then(|| encode::source_map(&map));
            v1::DownloadSourceMapResponse { source_map, data }
        }))
    }

    async fn download_package(
        &self,
        request: Request<v1::DownloadPackageRequest>,
    ) -> Result<Response<Self::DownloadPackageStream>, Status> {
        let caller = caller(&request)?;
        let path = names::bundle("name", &request.get_ref().name)?;
        let found = self.context.read(move |conn| bundles::package(conn, &caller.scope, &path)).await?;
        Ok(self.stream(found.blob.sha256, found.blob.size_bytes, move |is_first, data| {
            let package = is_first.then(|| encode::package(&found));
            v1::DownloadPackageResponse { package, data }
        }))
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
