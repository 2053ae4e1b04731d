//! This file's job is to keep the devices of one app, and those of one class, from taking the whole edge.

use crate::allowance::{Allowance, Rate};
use crate::config::Config;
use crate::refusal::Quota;
use domain::Platform;

/// The client that a device asks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Aloft,
    CodePush,
    Expo,
}

/// Devices of an app that ask alike: old apps whose client asks too often are of one class, new ones of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceClass {
    pub(crate) client: Client,
    pub(crate) platform: Platform,
}

const CLIENTS: usize = 3;
const PLATFORMS: usize = 2;

/// What the devices of one app may ask for.
#[derive(Debug, Default)]
pub(crate) struct AppAllowance {
    all: Allowance,
    classes: [Allowance; CLIENTS * PLATFORMS],
}

impl AppAllowance {
    /// Takes a request of a device in. What a class is refused costs the app nothing.
    pub(crate) fn take(&self, class: DeviceClass, config: &Config) -> Result<(), Quota> {
        let (of_class, of_app) = (Rate(config.class_requests_per_s), Rate(config.app_requests_per_s));
        let used_up = |name, of, rate| move |reset| Quota { name, of, rate, left: 0, reset };
        self.classes[class.index()].take(of_class).map_err(used_up("device-class", "kind of device", of_class))?;
        self.all.take(of_app).map_err(used_up("app", "app", of_app))?;
        Ok(())
    }
}

impl DeviceClass {
    const fn index(self) -> usize {
        let client = match self.client {
            Client::Aloft => 0,
            Client::CodePush => 1,
            Client::Expo => 2,
        };
        let platform = match self.platform {
            Platform::Android => 0,
            Platform::Ios => 1,
        };
        client * PLATFORMS + platform
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_class_has_its_own_allowance() {
        let clients = [Client::Aloft, Client::CodePush, Client::Expo];
        let classes = clients.into_iter().flat_map(|client| Platform::ALL.iter().map(move |of| (client, *of)));
        let used: BTreeSet<usize> =
            classes.map(|(client, platform)| DeviceClass { client, platform }.index()).collect();
        assert_eq!(used, (0..CLIENTS * PLATFORMS).collect());
    }
}
