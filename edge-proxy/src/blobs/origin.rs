//! This file's job is to ask one place for bytes of a blob.

use super::BlobError;
use crate::config::Config;
use crate::error::Error;
use bytes::{Bytes, BytesMut};
use domain::snapshot::ChannelKey;
use domain::{ErrorKind, Sha256};
use futures::StreamExt as _;
use http::StatusCode;
use http::header::RANGE;
use proto::v1;
use proto::v1::edge_service_client::EdgeServiceClient;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

/// What origins are counted under.
pub(crate) const ORIGINS: [&str; 3] = ["parent", "control-plane", "store"];

/// With it an edge tells its parent which channel the blob belongs to, as `<app id>/<channel name>`.
pub(crate) const CHANNEL_HEADER: &str = "aloft-channel";
/// A chunk over a line of 300 kbit/s; what is slower is as good as away.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A parent that takes no connection in this time is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of a blob that are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) sha256: Sha256,
    pub(crate) range: Range<u64>,
    /// A channel that names the blob.
    pub(crate) channel: Option<Arc<ChannelKey>>,
}

impl Wanted {
    fn size_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// Where blobs come from. Nobody is trusted: what comes is compared with its hash.
pub(crate) enum Origin {
    /// Another edge, which is asked as a device asks.
    Parent { client: reqwest::Client, url: String },
    /// The control plane, for edges that cannot reach the store.
    ControlPlane { client: EdgeServiceClient<Channel>, authorization: MetadataValue<Ascii> },
    /// The object store itself.
    Store(blob::Store),
}

impl Origin {
    /// Names the parent that is configured.
    pub(crate) fn parent(config: &Config) -> Result<Option<Self>, Error> {
        if config.parent.is_empty() {
            return Ok(None);
        }
        let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
        let client = builder.redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|_| Error::Config { key: "parent", rule: "cannot be spoken to" })?;
        Ok(Some(Self::Parent { client, url: config.parent.trim_end_matches('/').to_owned() }))
    }

    /// Returns the name that operators see.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Parent { .. } => ORIGINS[0],
            Self::ControlPlane { .. } => ORIGINS[1],
            Self::Store(_) => ORIGINS[2],
        }
    }

    /// Asks once. The answer has the wanted size, and is not verified.
    pub(crate) async fn get(&self, wanted: &Wanted) -> Result<Bytes, BlobError> {
        let bytes = match self {
            Self::Parent { client, url } => from_parent(client, url, wanted).await?,
            Self::ControlPlane { client, authorization } => {
                from_control_plane(client.clone(), authorization.clone(), wanted).await?
            }
            Self::Store(store) => from_store(store, wanted).await?,
        };
        if bytes.len() as u64 == wanted.size_bytes() { Ok(bytes) } else { Err(BlobError::Corrupt) }
    }
}

async fn from_parent(client: &reqwest::Client, url: &str, wanted: &Wanted) -> Result<Bytes, BlobError> {
    let away = |error: reqwest::Error| BlobError::StoreAway(error.to_string());
    let last = wanted.range.end - 1;
    let mut request = client.get(format!("{url}/v1/blobs/{}", wanted.sha256));
    request = request.header(RANGE, format!("bytes={}-{last}", wanted.range.start));
    if let Some(channel) = &wanted.channel {
        request = request.header(CHANNEL_HEADER, format!("{}/{}", channel.app, channel.channel));
    }
    let answer = request.send().await.map_err(away)?;
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::NOT_FOUND => return Err(BlobError::Missing),
        status => return Err(BlobError::StoreAway(format!("the parent answers {status}"))),
    }
    let (mut bytes, mut pieces) = (BytesMut::new(), answer.bytes_stream());
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.map_err(away)?);
        if bytes.len() as u64 > wanted.size_bytes() {
            return Err(BlobError::Corrupt);
        }
    }
    Ok(bytes.freeze())
}

async fn from_control_plane(
    mut client: EdgeServiceClient<Channel>,
    authorization: MetadataValue<Ascii>,
    wanted: &Wanted,
) -> Result<Bytes, BlobError> {
    let mut request = tonic::Request::new(v1::ReadBlobRequest {
        sha256: proto::convert::sha256_to_wire(&wanted.sha256),
        offset: wanted.range.start,
        size_bytes: u32::try_from(wanted.size_bytes()).unwrap_or(u32::MAX),
    });
    request.set_timeout(TIMEOUT);
    request.metadata_mut().insert("authorization", authorization);
    match tokio::time::timeout(TIMEOUT, client.read_blob(request)).await {
        Ok(Ok(answer)) => Ok(answer.into_inner().content),
        Ok(Err(status)) if status.code() == Code::NotFound => Err(BlobError::Missing),
        Ok(Err(status)) => Err(BlobError::StoreAway(format!("{}: {}", status.code(), status.message()))),
        Err(_) => Err(BlobError::StoreAway("the control plane did not answer in time".to_owned())),
    }
}

async fn from_store(store: &blob::Store, wanted: &Wanted) -> Result<Bytes, BlobError> {
    store.get_range(&wanted.sha256, wanted.range.clone()).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => BlobError::Missing,
        ErrorKind::DataLoss => BlobError::Corrupt,
        ErrorKind::InvalidArgument
        | ErrorKind::AlreadyExists
        | ErrorKind::FailedPrecondition
        | ErrorKind::Conflict
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::ResourceExhausted
        | ErrorKind::Unavailable
        | ErrorKind::Internal => BlobError::StoreAway(error.to_string()),
    })
}
