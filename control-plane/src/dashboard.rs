//! This file's job is to serve the dashboard's files, with headers that keep them fresh and other sites out.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{HeaderValue, header};
use std::path::Path;
use tower_http::services::{ServeDir, ServeFile};

/// The build names files in this folder by their content, so they never change.
const HASHED: &str = "/assets/";
/// No other site shows the dashboard in a frame. What may run in the page is said by the page itself; this alone it cannot say.
const FRAMES: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'");

/// Serves the folder. Addresses inside the dashboard are its own: they all begin with the same page.
pub fn router(folder: &Path) -> Router {
    let files = ServeDir::new(folder).fallback(ServeFile::new(folder.join("index.html")));
    Router::new().fallback_service(files).layer(from_fn(with_headers))
}

async fn with_headers(request: Request, next: Next) -> Response {
    let is_hashed = request.uri().path().starts_with(HASHED);
    let mut response = next.run(request).await;
    // A page in the place of a file that is gone must not stay.
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let for_ever = is_hashed && !is_page && response.status().is_success();
    let cache = if for_ever { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, FRAMES);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use tower::ServiceExt as _;

    async fn get(folder: &Path, path: &str) -> HeaderMap {
        let request = Request::builder().uri(path).body(axum::body::Body::empty()).expect("a request");
        router(folder).oneshot(request).await.expect("an answer").headers().clone()
    }

    #[tokio::test]
    async fn files_named_by_content_stay_and_pages_are_asked_for_again() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("assets")).expect("a folder");
        std::fs::write(folder.path().join("index.html"), "<!doctype html>").expect("a file");
        std::fs::write(folder.path().join("assets/index-1.js"), "1").expect("a file");
        for (path, part) in [
            ("/assets/index-1.js", "immutable"),
            ("/assets/gone.js", "no-cache"),
            ("/", "no-cache"),
            ("/apps/trailhead", "no-cache"),
        ] {
            let headers = get(folder.path(), path).await;
            let text = |name: &str| headers[name].to_str().expect("text").to_owned();
            assert!(text("cache-control").contains(part), "{path}: {headers:?}");
            assert_eq!(text("x-content-type-options"), "nosniff", "{path}");
            assert!(text("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        }
    }
}
