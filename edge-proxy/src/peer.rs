//! This file's job is to tell where a request came from, and what may still come from there.

use crate::access::{REQUEST_ID, Turn};
use crate::addresses::network_of;
use crate::allowance::{Left, Rate};
use crate::port::Entered;
use http::{HeaderMap, HeaderName, HeaderValue};
use runtime::request_id;
use std::net::IpAddr;
use std::time::Duration;

/// The other end of a connection.
pub(crate) struct Peer {
    pub(crate) entered: Entered,
    /// The header in which a proxy says where requests came from.
    pub(crate) header: Option<HeaderName>,
    /// When an answer on this connection is written down.
    pub(crate) turn: Turn,
}

impl Peer {
    /// Takes a request in and returns what is left. The error is how long to wait.
    pub(crate) fn take(&self, rate: Rate, headers: &HeaderMap) -> Result<Left, Duration> {
        match self.told(headers) {
            Some(address) => self.entered.seat.allowance_of(address).take(rate),
            None => self.entered.seat.allowance.take(rate),
        }
    }

    /// Returns the network that a request came from.
    pub(crate) fn network(&self, headers: &HeaderMap) -> IpAddr {
        self.told(headers).map_or(self.entered.seat.network, network_of)
    }

    /// Returns the address that a request came from.
    pub(crate) fn address(&self, headers: &HeaderMap) -> IpAddr {
        self.told(headers).unwrap_or(self.entered.address)
    }

    /// Returns the name of a request that a proxy gave it: only proxies that are trusted with addresses are trusted with names.
    pub(crate) fn request_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        self.header.as_ref()?;
        headers.get(REQUEST_ID).filter(|value| request_id::given(value.as_bytes()).is_some())
    }

    fn told(&self, headers: &HeaderMap) -> Option<IpAddr> {
        self.header.as_ref().and_then(|name| told(headers, name))
    }
}

/// The last address in the header: the nearest proxy appended it, whatever the client wrote before it.
fn told(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let last = headers.get_all(name).into_iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-forwarded-for");

    fn of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(NAME, value.parse().unwrap());
        }
        told(&headers, &NAME).map(|address| address.to_string())
    }

    #[test]
    fn the_nearest_proxy_is_believed_and_nobody_before_it() {
        assert_eq!(of(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(of(&["10.0.0.1, 192.0.2.7", "10.0.0.2,2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["192.0.2.1, unknown"]), None);
    }
}
