//! This file's job is to keep one address from taking all connections.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Providers give whole networks of this size to one customer.
const IPV6_NETWORK: u128 = !0 << 64;

/// Counts open connections by the client's network.
#[derive(Debug)]
pub(crate) struct Addresses {
    max: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    addresses: &'a Addresses,
    network: IpAddr,
}

impl Addresses {
    /// Grants every network `max` connections at once.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, open: Mutex::default() }
    }

    /// Counts a connection for as long as the seat lives. `None` when the network has all that it may have.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Seat<'_>> {
        let network = network_of(address);
        let mut open = self.open.lock();
        let count = open.entry(network).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Seat { addresses: self, network })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

/// An IPv4 address stands for itself, an IPv6 address for its /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_gets_its_share_again_when_connections_end() {
        let addresses = Addresses::new(2);
        let first = addresses.enter(address("192.0.2.1"));
        let second = addresses.enter(address("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(addresses.enter(address("192.0.2.1")).is_none());
        assert!(addresses.enter(address("192.0.2.2")).is_some());
        drop(first);
        assert!(addresses.enter(address("192.0.2.1")).is_some());
    }

    #[test]
    fn a_customer_with_many_ipv6_addresses_is_one_network() {
        let addresses = Addresses::new(1);
        let _seat = addresses.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(addresses.enter(address("2001:db8:1:2:ffff::9")).is_none());
        assert!(addresses.enter(address("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn an_ipv4_address_is_the_same_behind_an_ipv6_socket() {
        let addresses = Addresses::new(1);
        let _seat = addresses.enter(address("::ffff:192.0.2.1")).unwrap();
        assert!(addresses.enter(address("192.0.2.1")).is_none());
    }

    #[test]
    fn nothing_is_left_of_those_who_are_gone() {
        let addresses = Addresses::new(3);
        for last in 0..=255 {
            drop(addresses.enter(IpAddr::from([192, 0, 2, last])));
        }
        assert!(addresses.open.lock().is_empty());
    }
}
