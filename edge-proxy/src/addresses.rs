//! This file's job is to keep one address from taking all connections or all of the time.

use crate::allowance::Allowance;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Providers give whole networks of this size to one customer.
const IPV6_NETWORK: u128 = !0 << 64;
/// Networks that are remembered, some 100 bytes each. Beyond it, those without connections are forgotten.
const NETWORKS_MAX: usize = 65_536;

/// Counts open connections and requests by the client's network.
#[derive(Debug)]
pub(crate) struct Addresses {
    max: usize,
    networks: Mutex<HashMap<IpAddr, Network>>,
}

#[derive(Debug, Default)]
struct Network {
    open: usize,
    allowance: Arc<Allowance>,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Seat {
    addresses: Arc<Addresses>,
    /// Where it comes from.
    pub(crate) network: IpAddr,
    /// What the network may ask for.
    pub(crate) allowance: Arc<Allowance>,
}

impl Addresses {
    /// Grants every network `max` connections at once.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, networks: Mutex::default() }
    }

    /// Counts a connection for as long as the seat lives. `None` when the network has all that it may have.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let key = network_of(address);
        let mut networks = self.networks.lock();
        let network = find(&mut networks, key);
        if network.open >= self.max {
            return None;
        }
        network.open += 1;
        let allowance = network.allowance.clone();
        drop(networks);
        Some(Seat { addresses: self.clone(), network: key, allowance })
    }

    /// Returns what the network of the address may ask for.
    fn allowance(&self, address: IpAddr) -> Arc<Allowance> {
        find(&mut self.networks.lock(), network_of(address)).allowance.clone()
    }
}

impl Seat {
    /// Returns what the network of another address may ask for.
    pub(crate) fn allowance_of(&self, address: IpAddr) -> Arc<Allowance> {
        self.addresses.allowance(address)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut networks = self.addresses.networks.lock();
        if let Some(network) = networks.get_mut(&self.network) {
            network.open -= 1;
            // What has been asked for is remembered: a new connection is no new allowance.
            if network.open == 0 && network.allowance.is_whole() {
                networks.remove(&self.network);
            }
        }
    }
}

fn find(networks: &mut HashMap<IpAddr, Network>, key: IpAddr) -> &mut Network {
    if networks.len() >= NETWORKS_MAX && !networks.contains_key(&key) {
        networks.retain(|_, network| network.open > 0 || !network.allowance.is_whole());
        if networks.len() >= NETWORKS_MAX {
            networks.retain(|_, network| network.open > 0);
        }
    }
    networks.entry(key).or_default()
}

/// An IPv4 address stands for itself, an IPv6 address for its /64.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allowance::Rate;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_gets_its_share_again_when_connections_end() {
        let addresses = Arc::new(Addresses::new(2));
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
        let addresses = Arc::new(Addresses::new(1));
        let _seat = addresses.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(addresses.enter(address("2001:db8:1:2:ffff::9")).is_none());
        assert!(addresses.enter(address("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn an_ipv4_address_is_the_same_behind_an_ipv6_socket() {
        let addresses = Arc::new(Addresses::new(1));
        let _seat = addresses.enter(address("::ffff:192.0.2.1")).unwrap();
        assert!(addresses.enter(address("192.0.2.1")).is_none());
    }

    #[test]
    fn nothing_is_left_of_those_who_are_gone() {
        let addresses = Arc::new(Addresses::new(3));
        for last in 0..=255 {
            drop(addresses.enter(IpAddr::from([192, 0, 2, last])));
        }
        assert!(addresses.networks.lock().is_empty());
    }

    #[test]
    fn a_new_connection_is_no_new_allowance() {
        const RATE: Rate = Rate(1);
        let addresses = Arc::new(Addresses::new(3));
        let take = || {
            let seat = addresses.enter(address("192.0.2.1")).unwrap();
            seat.allowance.take(RATE).is_ok()
        };
        let taken = (0..100).filter(|_| take()).count();
        // A slow machine earns some more meanwhile.
        assert!((10..50).contains(&taken), "{taken}");
        assert!(addresses.allowance(address("192.0.2.2")).take(RATE).is_ok());
    }

    #[test]
    fn networks_without_connections_are_forgotten_when_there_are_too_many() {
        let addresses = Arc::new(Addresses::new(3));
        let seat = addresses.enter(address("2001:db8::1")).unwrap();
        for number in 0..NETWORKS_MAX as u32 + 10 {
            let one = addresses.allowance(IpAddr::from(number.to_be_bytes()));
            one.take(Rate(1)).unwrap();
        }
        assert!(addresses.networks.lock().len() <= NETWORKS_MAX);
        assert!(Arc::ptr_eq(&seat.allowance, &addresses.allowance(address("2001:db8::2"))));
    }
}
