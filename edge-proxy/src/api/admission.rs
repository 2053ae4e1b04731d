//! This file's job is to say which requests are the control plane's business.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Version};

/// What edges speak with the control plane. Edges have a way of their own: whoever stole an edge's token must not come in by the door that
/// everybody reaches.
const EDGES: &str = "/aloft.v1.EdgeService/";
/// What programs may call.
const SERVICES: [&str; 3] = ["/aloft.v1.", "/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];
/// What replicas say of themselves is for operators.
const INTERNAL: [&str; 1] = ["/healthz"];
/// Where CodePush's management clients make, change and delete things; a package streams with a release.
const MANAGEMENT: &str = "/codepush/";
/// The longest call has a name of 70 bytes.
const CALL_MAX_BYTES: usize = 256;
/// Every header together. Credentials and standard headers fit many times.
pub(crate) const HEADERS_MAX_BYTES: usize = 32 * 1024;
/// What a browser sends: no upload, which needs gRPC itself. The control plane takes messages of 5 MB.
const BROWSER_BODY_MAX_BYTES: usize = 6 << 20;

/// The kinds of requests that are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call of a program, which may stream for long.
    Grpc,
    /// A call of a browser.
    GrpcWeb,
    /// A page or file of the dashboard, a browser that asks what it may call, or a request of CodePush's management clients.
    Page,
}

/// Why a request is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such service here.
    Service,
    /// There is no such page here.
    Page,
    /// Nothing here knows the method.
    Method,
    /// gRPC without HTTP/2 has no trailers, and so no status.
    Version,
    /// The head is too large.
    Headers,
    /// The body is too large.
    Body,
}

impl Kind {
    /// Returns how it is called in metrics and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Page => "page",
        }
    }
}

/// Says whether the path may be that of a call. No service's name needs escapes; with them one could be written in a second way.
pub(crate) fn is_service(path: &str) -> bool {
    path.len() <= CALL_MAX_BYTES && SERVICES.iter().any(|prefix| path.starts_with(prefix)) && !path.contains('%')
}

/// Says what a request is, by its head alone.
pub(crate) fn kind(headers: &HeaderMap) -> Kind {
    let content = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    match content {
        content if content.starts_with(b"application/grpc-web") => Kind::GrpcWeb,
        content if content.starts_with(b"application/grpc") => Kind::Grpc,
        _ => Kind::Page,
    }
}

/// Returns how large a body may be; none where a program streams, and the replica bounds what it takes.
pub(crate) fn body_max_bytes(kind: Kind, path: &str) -> Option<usize> {
    match kind {
        Kind::Grpc => None,
        Kind::Page if path.starts_with(MANAGEMENT) => None,
        Kind::GrpcWeb | Kind::Page => Some(BROWSER_BODY_MAX_BYTES),
    }
}

/// Lets a request through or says why not.
pub(crate) fn admit(method: &Method, path: &str, version: Version, headers: &HeaderMap) -> Result<Kind, Refused> {
    let headers_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers_bytes + path.len() > HEADERS_MAX_BYTES {
        return Err(Refused::Headers);
    }
    let is_service = is_service(path) && !path.starts_with(EDGES);
    let kind = kind(headers);
    match (kind, method) {
        (Kind::Grpc, _) if version != Version::HTTP_2 => Err(Refused::Version),
        (Kind::Grpc | Kind::GrpcWeb, &Method::POST) if is_service => Ok(kind),
        (Kind::Grpc | Kind::GrpcWeb, &Method::POST) => Err(Refused::Service),
        (Kind::Page, &Method::OPTIONS) if is_service => Ok(kind),
        (Kind::Page, &Method::POST | &Method::PATCH | &Method::DELETE) if path.starts_with(MANAGEMENT) => Ok(kind),
        (Kind::Page, &Method::GET | &Method::HEAD) if !INTERNAL.contains(&path) => Ok(kind),
        (Kind::Page, &Method::GET | &Method::HEAD) => Err(Refused::Page),
        _ => Err(Refused::Method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ask(method: Method, path: &str, content: &'static str) -> Result<Kind, Refused> {
        let mut headers = HeaderMap::new();
        if !content.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        }
        admit(&method, path, Version::HTTP_2, &headers)
    }

    #[test]
    fn calls_and_pages_pass_and_nothing_else() {
        assert_eq!(ask(Method::POST, "/aloft.v1.AppService/ListApps", "application/grpc"), Ok(Kind::Grpc));
        assert_eq!(ask(Method::POST, "/aloft.v1.AppService/ListApps", "application/grpc-web+proto"), Ok(Kind::GrpcWeb));
        assert_eq!(ask(Method::POST, "/grpc.health.v1.Health/Check", "application/grpc+proto"), Ok(Kind::Grpc));
        assert_eq!(ask(Method::OPTIONS, "/aloft.v1.AppService/ListApps", ""), Ok(Kind::Page));
        assert_eq!(ask(Method::GET, "/assets/index.js", ""), Ok(Kind::Page));
        assert_eq!(ask(Method::HEAD, "/", ""), Ok(Kind::Page));

        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            assert_eq!(ask(method.clone(), "/codepush/apps/Shop-iOS", "application/json"), Ok(Kind::Page));
            assert_eq!(ask(method, "/codepushed/apps", "application/json"), Err(Refused::Method));
        }
        assert_eq!(ask(Method::PUT, "/codepush/apps/Shop-iOS", ""), Err(Refused::Method));
        assert_eq!(ask(Method::POST, "/codepush/apps", "application/grpc"), Err(Refused::Service));

        assert_eq!(ask(Method::POST, "/other.v1.Service/Call", "application/grpc"), Err(Refused::Service));
        assert_eq!(ask(Method::POST, "/", ""), Err(Refused::Method));
        assert_eq!(ask(Method::PUT, "/assets/index.js", ""), Err(Refused::Method));
        assert_eq!(ask(Method::OPTIONS, "/", ""), Err(Refused::Method));
        assert_eq!(ask(Method::GET, "/aloft.v1.AppService/ListApps", "application/grpc"), Err(Refused::Method));
        assert_eq!(ask(Method::GET, "/healthz", ""), Err(Refused::Page));
    }

    #[test]
    fn edges_do_not_come_in_here() {
        for content in ["application/grpc", "application/grpc-web"] {
            assert_eq!(ask(Method::POST, "/aloft.v1.EdgeService/Sync", content), Err(Refused::Service));
        }
        assert_eq!(ask(Method::OPTIONS, "/aloft.v1.EdgeService/Sync", ""), Err(Refused::Method));
        assert_eq!(ask(Method::POST, "/aloft.v1.%45dgeService/Sync", "application/grpc"), Err(Refused::Service));
    }

    #[test]
    fn grpc_needs_the_version_that_has_trailers() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let path = "/aloft.v1.AppService/ListApps";
        assert_eq!(admit(&Method::POST, path, Version::HTTP_11, &headers), Err(Refused::Version));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc-web"));
        assert_eq!(admit(&Method::POST, path, Version::HTTP_11, &headers), Ok(Kind::GrpcWeb));
    }

    #[test]
    fn a_head_has_a_limit() {
        let mut headers = HeaderMap::new();
        headers.insert("x-padding", HeaderValue::from_str(&"x".repeat(HEADERS_MAX_BYTES)).unwrap());
        assert_eq!(admit(&Method::GET, "/", Version::HTTP_11, &headers), Err(Refused::Headers));
    }
}
