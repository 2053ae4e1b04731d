//! This file's job is to say which addresses on the web a server of ours may call because somebody else asked it to.
//!
//! Whoever may name an address could otherwise reach what only the server reaches: its own machine, its network, the metadata service of
//! its cloud. Names are checked when they are written, and addresses again when they are connected to.

use crate::error::Invalid;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Longer addresses are no addresses of people.
pub const WEB_ADDRESS_MAX_BYTES: usize = 2_048;

/// Networks of IPv4 that are not the public internet (RFC 6890 and its registry), as address and length of the prefix.
const RESERVED_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, with the metadata services of clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4, which nobody has any more.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, and what is reserved up to the broadcast address.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];
/// The one network of IPv6 that has public addresses.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// What in it is not public, or leads to an IPv4 address that the name does not show.
const RESERVED_V6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments, with Teredo.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebReach {
    /// Those of the public internet, encrypted.
    Public,
    /// All: the operator trusts whoever may name one.
    Everywhere,
}

impl WebReach {
    /// Says whether an address may be connected to.
    #[must_use]
    pub fn covers(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Everywhere => true,
        }
    }

    /// Reads an address.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn read(self, text: &str) -> Result<Url, Invalid> {
        let invalid = |rule| Invalid::new("url", rule);
        if text.len() > WEB_ADDRESS_MAX_BYTES {
            return Err(invalid("must be at most 2048 bytes"));
        }
        let url: Url = text.parse().map_err(|_| invalid("must be an address such as https://example.com/hook"))?;
        match (self, url.scheme()) {
            (_, "https") | (Self::Everywhere, "http") => {}
            (Self::Public, _) => return Err(invalid("must begin with https://")),
            (Self::Everywhere, _) => return Err(invalid("must begin with https:// or http://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must not hold a user name or a password"));
        }
        let is_reachable = match url.host() {
            Some(Host::Ipv4(address)) => self.covers(address.into()),
            Some(Host::Ipv6(address)) => self.covers(address.into()),
            Some(Host::Domain(name)) => self == Self::Everywhere || !is_local_name(name),
            None => false,
        };
        if is_reachable { Ok(url) } else { Err(invalid("must not lead to a private network")) }
    }
}

/// Names that mean this machine or this network whatever a resolver says (RFC 6761, RFC 6762, RFC 8375).
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    ["localhost", "local", "internal", "home.arpa"]
        .iter()
        .any(|local| name == *local || name.strip_suffix(local).is_some_and(|rest| rest.ends_with('.')))
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !RESERVED_V4.iter().any(|(network, length)| {
            let shift = u32::BITS - length;
            address.to_bits() >> shift == network.to_bits() >> shift
        }),
        IpAddr::V6(address) => is_in(address, GLOBAL_V6) && !RESERVED_V6.iter().any(|network| is_in(address, *network)),
    }
}

fn is_in(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    let shift = u128::BITS - length;
    address.to_bits() >> shift == network.to_bits() >> shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for public in
            ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "2606:4700::1"]
        {
            assert!(WebReach::Public.covers(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.0.192",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!WebReach::Public.covers(other.parse().unwrap()), "{other}");
            assert!(WebReach::Everywhere.covers(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn every_spelling_of_a_private_address_is_refused() {
        for bad in [
            "",
            "x",
            "/hook",
            "example.com",
            "http://example.com/",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https://user@example.com/",
            "https://:word@example.com/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://metadata.google.internal/",
            "https://printer.local/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://0/",
            "https://\u{ff11}27.0.0.1/",
        ] {
            assert!(WebReach::Public.read(bad).is_err(), "{bad}");
        }
        assert!(WebReach::Public.read(&format!("https://example.com/{}", "a".repeat(WEB_ADDRESS_MAX_BYTES))).is_err());
        for good in [
            "https://example.com/hook?a=b",
            "https://1.1.1.1:8443/",
            "https://notlocalhost/",
            "https://b\u{fc}cher.example/",
        ] {
            assert!(WebReach::Public.read(good).is_ok(), "{good}");
        }
        for good in ["http://127.0.0.1:8080/hook", "https://localhost/", "http://receiver.internal/"] {
            assert!(WebReach::Everywhere.read(good).is_ok(), "{good}");
        }
        assert!(WebReach::Everywhere.read("file:///etc/passwd").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic_and_what_is_read_is_public(text in "(https?://)?[0-9a-fx.:\\[\\]@/%]{0,40}") {
            if let Ok(url) = WebReach::Public.read(&text) {
                let address = match url.host() {
                    Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
                    Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
                    Some(Host::Domain(_)) | None => None,
                };
                prop_assert!(url.scheme() == "https" && address.is_none_or(is_public));
            }
        }
    }
}
