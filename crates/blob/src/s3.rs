//! This file's job is to keep objects in a bucket of an S3 service.
//!
//! Objects up to one piece are put at once; larger ones are multipart uploads, completed only after their hash was checked, so that
//! nothing wrong is ever visible. Unfinished multipart uploads of processes that died are invisible; a bucket's lifecycle rule
//! (`AbortIncompleteMultipartUpload`) removes them.

use crate::backend::{Backend, Object, Sink};
use crate::error::Error;
use crate::location::BucketLocation;
use crate::retry::retry;
use async_trait::async_trait;
use bytes::Bytes;
use runtime::failpoint;
use runtime::secret::{ExposeSecret as _, Secret};
use s3::error::S3Error;
use s3::request::ResponseData;
use s3::serde_types::Part;
use s3::{Bucket, Region};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

const CONTENT_TYPE: &str = "application/octet-stream";
/// S3's own limit for one page.
const PAGE_KEYS_MAX: usize = 1_000;
/// A request without a body that takes longer will not end well.
const SMALL_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Long enough for 8 MiB over a line of 3 Mbit/s.
const LARGE_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Error bodies are XML documents of some hundred bytes; more is not shown.
const MESSAGE_MAX_CHARS: usize = 300;

/// Objects in a bucket.
#[derive(Clone)]
pub(crate) struct S3 {
    bucket: Arc<Bucket>,
    prefix: String,
}

impl S3 {
    /// Names the bucket; nothing is sent yet.
    pub(crate) fn open(location: &BucketLocation, access_key: &Secret, secret_key: &Secret) -> Result<Self, Error> {
        let name = &location.name;
        let wrong = |rule| Error::Location { location: format!("s3://{name}"), rule };
        let (access_key, secret_key) = (access_key.expose_secret(), secret_key.expose_secret());
        if access_key.is_empty() || secret_key.is_empty() {
            return Err(wrong("needs an access key and a secret key"));
        }
        let region = match &location.endpoint {
            Some(endpoint) => Region::Custom {
                region: location.region.clone(),
                endpoint: endpoint.as_str().trim_end_matches('/').to_owned(),
            },
            None => location.region.parse().map_err(|_| wrong("has an unknown region"))?,
        };
        let signer = s3::creds::Credentials::new(Some(access_key), Some(secret_key), None, None, None);
        let signer = signer.map_err(|_| wrong("has keys of a wrong form"))?;
        let mut bucket =
            Bucket::new(name, region, signer).map_err(|_| wrong("is not a name that a bucket can have"))?;
        // Services other than AWS seldom have a host name for each bucket.
        if location.endpoint.is_some() {
            bucket = bucket.with_path_style();
        }
        bucket.set_request_timeout(Some(LARGE_REQUEST_TIMEOUT));
        // This crate retries by its own rules.
        s3::set_retries(0);
        Ok(Self { bucket: Arc::from(bucket), prefix: location.prefix.clone() })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Object>, Error> {
        let (full_prefix, full_after) = (self.key(prefix), after.map(|after| self.key(after)));
        let page = retry(|| {
            let request = self.bucket.list_page(
                full_prefix.clone(),
                None,
                None,
                full_after.clone(),
                Some(limit.min(PAGE_KEYS_MAX)),
            );
            guarded("list", prefix, SMALL_REQUEST_TIMEOUT, request)
        });
        let (page, _status) = page.await?;
        let own = |key: &str| key.strip_prefix(&self.prefix).map(str::to_owned);
        Ok(page
            .contents
            .iter()
            .filter_map(|object| Some(Object { key: own(&object.key)?, size_bytes: object.size }))
            .collect())
    }

    async fn finish(&self, key: &str, size_bytes: u64, id: &str, parts: &[Part]) -> Result<(), Error> {
        let full = self.key(key);
        retry(|| async {
            let request = self.bucket.complete_multipart_upload(&full, id, parts.to_vec());
            let Err(error) = guarded("complete", key, LARGE_REQUEST_TIMEOUT, request).await else { return Ok(()) };
            // An earlier try may have done it before its answer was lost.
            if self.size(key).await? == Some(size_bytes) { Ok(()) } else { Err(error) }
        })
        .await
    }
}

#[async_trait]
impl Backend for S3 {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let full = self.key(key);
        failpoint::crash_at("blob.before-place");
        retry(|| guarded("put", key, LARGE_REQUEST_TIMEOUT, self.bucket.put_object(&full, &bytes))).await?;
        failpoint::crash_at("blob.after-place");
        Ok(())
    }

    async fn begin(&self, key: &str, size_bytes: u64) -> Result<Box<dyn Sink>, Error> {
        let full = self.key(key);
        // A try whose answer was lost leaves an empty unfinished upload behind, which is invisible.
        let begun = retry(|| {
            let request = self.bucket.initiate_multipart_upload(&full, CONTENT_TYPE);
            guarded("begin", key, SMALL_REQUEST_TIMEOUT, request)
        });
        let id = begun.await?.upload_id;
        Ok(Box::new(S3Sink { store: self.clone(), key: key.to_owned(), size_bytes, id: Some(id), parts: Vec::new() }))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let full = self.key(key);
        let wanted_bytes = range.end - range.start;
        retry(|| async {
            let request = self.bucket.get_object_range(&full, range.start, Some(range.end - 1));
            let answer: ResponseData = guarded("get", key, LARGE_REQUEST_TIMEOUT, request).await?;
            let found_bytes = answer.bytes().len() as u64;
            if found_bytes != wanted_bytes {
                return Err(Error::Short { key: key.to_owned(), wanted_bytes, found_bytes });
            }
            Ok(answer.into_bytes())
        })
        .await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let full = self.key(key);
        let head = retry(|| guarded("look up", key, SMALL_REQUEST_TIMEOUT, self.bucket.head_object(&full)));
        match head.await {
            Ok((head, _status)) => Ok(head.content_length.and_then(|length| u64::try_from(length).ok())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let full = self.key(key);
        match retry(|| guarded("delete", key, SMALL_REQUEST_TIMEOUT, self.bucket.delete_object(&full))).await {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), Error> {
        loop {
            let page = self.page(prefix, None, PAGE_KEYS_MAX).await?;
            if page.is_empty() {
                return Ok(());
            }
            for object in page {
                self.delete(&object.key).await?;
            }
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Object>, Error> {
        let mut found: Vec<Object> = Vec::new();
        while found.len() < limit {
            let wanted = (limit - found.len()).min(PAGE_KEYS_MAX);
            let page = self.page(prefix, found.last().map(|object| object.key.as_str()).or(after), wanted).await?;
            let is_last = page.len() < wanted;
            found.extend(page);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    async fn check(&self) -> Result<(), Error> {
        let request = self.bucket.list_page(self.key("check/"), None, None, None, Some(1));
        guarded("check", "", SMALL_REQUEST_TIMEOUT, request).await?;
        Ok(())
    }
}

struct S3Sink {
    store: S3,
    key: String,
    size_bytes: u64,
    /// Present until the upload is completed.
    id: Option<String>,
    parts: Vec<Part>,
}

#[async_trait]
impl Sink for S3Sink {
    async fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        let full = self.store.key(&self.key);
        let id = self.id.as_deref().unwrap_or_default();
        let number = u32::try_from(self.parts.len() + 1).unwrap_or(u32::MAX);
        let part = retry(|| {
            let request = self.store.bucket.put_multipart_chunk(piece.to_vec(), &full, number, id, CONTENT_TYPE);
            guarded("put a part of", &self.key, LARGE_REQUEST_TIMEOUT, request)
        });
        self.parts.push(part.await?);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Error> {
        let id = self.id.as_deref().unwrap_or_default();
        failpoint::crash_at("blob.before-place");
        self.store.finish(&self.key, self.size_bytes, id, &self.parts).await?;
        failpoint::crash_at("blob.after-place");
        self.id = None;
        Ok(())
    }
}

impl Drop for S3Sink {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let (bucket, full) = (Arc::clone(&self.store.bucket), self.store.key(&self.key));
        runtime.spawn(async move {
            if let Err(error) = tokio::time::timeout(SMALL_REQUEST_TIMEOUT, bucket.abort_upload(&full, &id)).await {
                tracing::debug!(%error, key = full, "an unfinished upload stays until the bucket's lifecycle rule removes it");
            }
        });
    }
}

/// Runs one request under a time limit and sorts its error.
async fn guarded<T>(
    action: &str,
    key: &str,
    limit: Duration,
    request: impl Future<Output = Result<T, S3Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(sort(action, key, error)),
        Err(_) => {
            Err(Error::Unavailable { action: format!("{action} {key}"), cause: format!("no answer within {limit:?}") })
        }
    }
}

fn sort(action: &str, key: &str, error: S3Error) -> Error {
    let action = format!("{action} {key}");
    match error {
        S3Error::HttpFailWithBody(404, body) if body.contains("NoSuchBucket") => {
            Error::Refused { action, status: 404, message: shortened(&body) }
        }
        S3Error::HttpFailWithBody(404, _) => Error::NotFound { key: key.to_owned() },
        S3Error::HttpFailWithBody(status @ (401 | 403), body) => {
            Error::Refused { action, status, message: shortened(&body) }
        }
        S3Error::HttpFailWithBody(507, _) => Error::Full { action },
        S3Error::HttpFailWithBody(_, body) if body.contains("QuotaExceeded") || body.contains("StorageFull") => {
            Error::Full { action }
        }
        S3Error::HttpFailWithBody(status, body) if status >= 500 || matches!(status, 408 | 429) => {
            Error::Unavailable { action, cause: format!("HTTP {status}: {}", shortened(&body)) }
        }
        S3Error::HttpFailWithBody(416, _) => Error::Short { key: key.to_owned(), wanted_bytes: 1, found_bytes: 0 },
        S3Error::Reqwest(error) => Error::Unavailable { action, cause: chain(&error) },
        S3Error::Io(error) => Error::Unavailable { action, cause: error.to_string() },
        other => Error::Failed { action, cause: shortened(&other.to_string()) },
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MESSAGE_MAX_CHARS).collect()
}

/// The error with its causes: the HTTP client's own text does not say that a connection was refused.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
