//! This file's job is to know the address at which browsers see the server, and what follows from it for cookies.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use url::Url;

/// The cookie's name where it travels encrypted. The prefix makes browsers insist on that, and on this very host.
const SECURE_COOKIE: &str = "__Host-aloft-session";
/// The cookie's name on this machine only, without encryption; browsers take no `__Host-` cookie there.
const LOCAL_COOKIE: &str = "aloft-session-local";

/// The cookie of a way to the provider of sign-ins and back.
const SECURE_WAY_COOKIE: &str = "__Host-aloft-way";
/// The same on this machine only.
const LOCAL_WAY_COOKIE: &str = "aloft-way-local";

/// The address at which browsers see the server. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Site(Arc<OnceLock<Url>>);

impl Site {
    /// Makes the site of a configured address; with an empty one it is the address that [`Site::settle`] gets.
    #[must_use]
    pub fn new(public_url: &str) -> Self {
        let site = Self::default();
        if let Ok(url) = public_url.parse() {
            let _first = site.0.set(url);
        }
        site
    }

    /// Takes the address that the server listens on, unless one is configured.
    pub fn settle(&self, address: SocketAddr) {
        if let Ok(url) = format!("http://{address}").parse() {
            let _configured = self.0.set(url);
        }
    }

    /// Says whether a call comes from a page of this site. A call without an origin comes from no page.
    #[must_use]
    pub fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (origins.next().and_then(|origin| origin.to_str().ok()), origins.next()) else {
            return false;
        };
        self.0
            .get()
            .is_some_and(|url| url.origin().ascii_serialization() == origin || is_same_machine(url, origin, headers))
    }

    /// Returns the address of a page of the dashboard; only its path while the server does not listen yet.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.0.get().map(|url| url.origin().ascii_serialization()).unwrap_or_default())
    }

    /// Returns the host, for people.
    #[must_use]
    pub fn host(&self) -> String {
        self.0.get().and_then(Url::host_str).unwrap_or("aloft").to_owned()
    }

    fn is_secure(&self) -> bool {
        self.0.get().is_none_or(|url| !is_local(url))
    }

    /// Returns the session's cookie of a request.
    #[must_use]
    pub fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        Self::named_cookie(headers, self.cookie_name())
    }

    /// Returns the cookie of the way that a browser comes back from.
    #[must_use]
    pub fn way_cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        Self::named_cookie(headers, self.way_cookie_name())
    }

    fn named_cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
        headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| (name == wanted).then_some(value))
    }

    /// Writes the header that sets the session's cookie for so many seconds; zero removes it.
    #[must_use]
    pub fn set_cookie(&self, token: &str, seconds: u64) -> String {
        self.write_cookie(self.cookie_name(), token, seconds)
    }

    /// Writes the header that sets the cookie of a way for so many seconds; zero removes it.
    #[must_use]
    pub fn set_way_cookie(&self, way: &str, seconds: u64) -> String {
        self.write_cookie(self.way_cookie_name(), way, seconds)
    }

    fn write_cookie(&self, name: &str, value: &str, seconds: u64) -> String {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax")
    }

    fn way_cookie_name(&self) -> &'static str {
        if self.is_secure() { SECURE_WAY_COOKIE } else { LOCAL_WAY_COOKIE }
    }

    fn cookie_name(&self) -> &'static str {
        if self.is_secure() { SECURE_COOKIE } else { LOCAL_COOKIE }
    }
}

/// Says whether the address is without encryption, which is only for this machine.
fn is_local(url: &Url) -> bool {
    url.scheme() == "http" && is_loopback(url)
}

/// Says whether the host is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// On one machine `localhost` and `127.0.0.1` are the same site: the page's origin must then be where the call went.
fn is_same_machine(site: &Url, origin: &str, headers: &HeaderMap) -> bool {
    let Ok(page) = origin.parse::<Url>() else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    is_local(site) && is_local(&page) && host.is_some_and(|host| origin == format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn headers_of(origin: &'static str) -> HeaderMap {
        headers(&[("origin", origin)])
    }

    #[test]
    fn only_pages_of_the_site_may_use_its_cookie() {
        let site = Site::new("https://aloft.example.com");
        assert!(site.is_own_page(&headers_of("https://aloft.example.com")));
        for foreign in ["http://aloft.example.com", "https://aloft.example.com:8443", "https://example.com", "null", ""]
        {
            assert!(!site.is_own_page(&headers_of(foreign)), "{foreign}");
        }
        assert!(!site.is_own_page(&HeaderMap::new()));
        let mut twice = headers_of("https://aloft.example.com");
        twice.append(ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!site.is_own_page(&twice));
    }

    #[test]
    fn a_local_site_takes_any_name_of_this_machine_where_the_call_went() {
        let site = Site::default();
        site.settle("127.0.0.1:8070".parse().unwrap());
        assert!(site.is_own_page(&headers(&[("origin", "http://localhost:8070"), ("host", "localhost:8070")])));
        assert!(!site.is_own_page(&headers(&[("origin", "http://localhost:9999"), ("host", "localhost:8070")])));
        assert!(!site.is_own_page(&headers(&[("origin", "http://evil.example"), ("host", "evil.example")])));
    }

    #[test]
    fn cookies_are_bound_to_the_host_and_encrypted_except_on_this_machine() {
        let site = Site::new("https://aloft.example.com");
        let expected = "__Host-aloft-session=t; Path=/; Max-Age=9; HttpOnly; Secure; SameSite=Lax";
        assert_eq!(site.set_cookie("t", 9), expected);
        let local = Site::new("http://127.0.0.1:8070");
        assert_eq!(local.set_cookie("t", 9), "aloft-session-local=t; Path=/; Max-Age=9; HttpOnly; SameSite=Lax");
        let sent = headers(&[("cookie", "a=b; aloft-session-local=x"), ("cookie", "__Host-aloft-session=y")]);
        assert_eq!((site.cookie(&sent), local.cookie(&sent)), (Some("y"), Some("x")));
    }
}
