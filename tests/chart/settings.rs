//! This file's job is to read what a pod is told as its process does.

use crate::pod::{Pod, Secrets};
use runtime::config::{Problems, load};
use runtime::process::Settings as _;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The configuration of one process.
#[derive(Debug)]
pub enum Settings {
    ControlPlane(control_plane::Settings),
    Worker(worker::Settings),
    Edge(edge_proxy::Settings),
}

impl Settings {
    /// Reads it from the pod's environment.
    pub fn load(pod: &Pod<'_>, secrets: &Secrets) -> Result<Self, Problems> {
        let environment = pod.environment(secrets).into_iter();
        match pod.binary() {
            "aloft-control-plane" => load(control_plane::Settings::DEFAULTS, None, environment).map(Self::ControlPlane),
            "aloft-worker" => load(worker::Settings::DEFAULTS, None, environment).map(Self::Worker),
            "aloft-edge" => load(edge_proxy::Settings::DEFAULTS, None, environment).map(Self::Edge),
            unknown => panic!("there is no binary {unknown}"),
        }
    }

    /// Returns the ports that it listens on, on all of the pod's addresses.
    pub fn ports(&self) -> BTreeSet<u16> {
        let addresses: Vec<SocketAddr> = match self {
            Self::ControlPlane(settings) => vec![settings.control_plane.listen],
            Self::Worker(_) => Vec::new(),
            Self::Edge(settings) => {
                let api = settings.edge.api_listen.parse().ok();
                [settings.edge.listen, settings.edge.admin_listen].into_iter().chain(api).collect()
            }
        };
        assert!(addresses.iter().all(|address| address.ip().is_unspecified()), "nobody reaches {addresses:?}");
        addresses.iter().map(SocketAddr::port).collect()
    }

    /// Returns the folders that it writes to.
    pub fn folders(&self) -> Vec<PathBuf> {
        match self {
            // Its only files are temporary ones.
            Self::ControlPlane(_) => Vec::new(),
            Self::Worker(settings) => {
                let writes_mails = settings.worker.mail_transport == worker::MailTransport::File;
                let mails = writes_mails.then(|| settings.worker.mail_folder.clone());
                std::iter::once(settings.worker.spool_folder.clone()).chain(mails).collect()
            }
            Self::Edge(settings) => vec![settings.edge.data_folder.clone()],
        }
    }

    /// Returns the files that it reads.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::ControlPlane(_) | Self::Worker(_) => Vec::new(),
            Self::Edge(settings) => [&settings.edge.tls_certificate, &settings.edge.tls_key]
                .into_iter()
                .filter(|path| !path.as_os_str().is_empty())
                .cloned()
                .collect(),
        }
    }

    /// Returns the addresses of control planes that it calls.
    pub fn control_planes(&self) -> Vec<&str> {
        match self {
            Self::ControlPlane(_) | Self::Worker(_) => Vec::new(),
            Self::Edge(settings) => {
                let replicas = settings.edge.api_control_planes.iter().map(String::as_str);
                std::iter::once(settings.edge.control_plane.as_str()).chain(replicas).collect()
            }
        }
    }
}
