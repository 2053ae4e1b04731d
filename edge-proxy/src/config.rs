//! This file's job is to define what an operator can configure about an edge.

use crate::api::replicas::Place;
use http::HeaderName;
use runtime::config::{Problems, Validate};
use runtime::secret::Secret;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The table `[edge]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where devices connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The file of the device port's certificate chain, in PEM; empty for no TLS.
    pub tls_certificate: PathBuf,
    /// The file of its private key, in PEM.
    pub tls_key: PathBuf,
    /// Where devices see this edge, for clients that want whole URLs; empty for what they say in the header `Host`.
    pub public_url: String,
    /// Whether a load balancer says with the PROXY protocol who has connected to it.
    pub proxy_protocol: bool,
    /// Where programs and browsers reach the control plane through the edge; empty for nowhere, port 0 takes a free one.
    pub api_listen: String,
    /// Addresses of the control plane's replicas, `http://…` or `https://…`; empty for [`Self::control_plane`].
    pub api_control_planes: Vec<String>,
    /// Where operators look; port 0 takes a free one.
    pub admin_listen: SocketAddr,
    /// Snapshots, blobs and unsent telemetry live here.
    pub data_folder: PathBuf,
    /// The control plane's gRPC address, `http://…` or `https://…`.
    pub control_plane: String,
    /// The enrolment token.
    pub token: Secret,
    /// Connections of devices at once.
    pub connections_max: usize,
    /// Connections at once from one IPv4 address or one IPv6 /64 network.
    pub connections_per_address_max: usize,
    /// How long a connection is kept on which nothing is asked for.
    pub idle_timeout_s: u32,
    /// Requests a second from one IPv4 address or one IPv6 /64 network; zero for no limit.
    pub address_requests_per_s: u32,
    /// Registrations of one app's devices a second from one address or network; zero for no limit.
    pub registrations_per_s: u32,
    /// Update checks and reports a second of one app's devices; zero for no limit.
    pub app_requests_per_s: u32,
    /// Update checks and reports a second of one app's devices with the same platform and kind of client; zero for no limit.
    pub class_requests_per_s: u32,
    /// The header in which a proxy says where a request came from; empty for none.
    pub client_address_header: String,
    /// One in so many answers is written down that are no refusals; zero for none.
    pub access_log_every: u32,
    /// Refused and failed requests a second that are written down; zero for all.
    pub access_log_refusals_per_s: u32,
    /// Another edge's device port, asked for blobs before anything else; empty for none.
    pub parent: String,
    /// Where blobs come from in the end.
    pub blob_origin: BlobOrigin,
    /// Channels that the edge follows at most.
    pub channels_max: usize,
    /// The shortest time after which devices ask again, in seconds.
    pub next_check_s: u32,
    /// Size of all blobs on the edge's disk.
    pub blobs_max_bytes: u64,
    /// Free disk space below which no blob is kept any more.
    pub disk_reserve_bytes: u64,
    /// In how many seconds every blob on disk is read again; zero for never.
    pub scrub_every_s: u32,
    /// How long a start waits for an edge on the same folder that is stopping.
    pub handover_wait_s: u32,
    /// Size of blobs and answers in memory.
    pub memory_max_bytes: u64,
    /// Size of telemetry that waits for the control plane.
    pub spool_max_bytes: u64,
    /// Whether blobs of new releases are fetched before devices ask.
    pub prefetch: bool,
}

/// Where blobs come from in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlobOrigin {
    /// The object store in the table `[store]`.
    Store,
    /// The control plane, which reads the store.
    ControlPlane,
}

impl Config {
    /// The commented defaults, with every key.
    pub const DEFAULTS: &'static str = include_str!("../config.default.toml");

    /// Returns where the API door is, if there is one.
    pub(crate) fn api_address(&self) -> Option<SocketAddr> {
        self.api_listen.parse().ok()
    }

    /// Returns where the control plane's replicas are.
    pub(crate) fn places(&self) -> Vec<Place> {
        let given = &self.api_control_planes;
        let addresses = if given.is_empty() { std::slice::from_ref(&self.control_plane) } else { given };
        addresses.iter().filter_map(|address| Place::parse(address)).collect()
    }
}

/// Two spool segments: one is written while the other is sent.
const SPOOL_MIN_BYTES: u64 = 2 * crate::telemetry::SEGMENT_MAX_BYTES;
/// Above what any load balancer keeps its connections for.
const IDLE_MAX_S: u32 = 3_600;
/// A day: devices that ask less often than that miss releases.
const NEXT_CHECK_MAX_S: u32 = 86_400;

impl Validate for Config {
    fn validate(&self, problems: &mut Problems) {
        let address = self.control_plane.parse::<tonic::transport::Uri>().ok();
        let is_http = address.is_some_and(|address| matches!(address.scheme_str(), Some("http" | "https")));
        problems.require(is_http, "edge.control_plane", "must be an address such as http://127.0.0.1:8070");
        problems.require(
            self.api_listen.is_empty() || self.api_address().is_some(),
            "edge.api_listen",
            "must be empty or an address such as 0.0.0.0:8073",
        );
        for address in &self.api_control_planes {
            let is_place = Place::parse(address).is_some();
            problems.require(is_place, "edge.api_control_planes", "must be addresses such as http://127.0.0.1:8070");
        }
        problems.require(!self.data_folder.as_os_str().is_empty(), "edge.data_folder", "must name a folder");
        for (key, max) in [
            ("edge.connections_max", self.connections_max),
            ("edge.connections_per_address_max", self.connections_per_address_max),
        ] {
            problems.require((1..=1_000_000).contains(&max), key, "must be 1 to 1000000");
        }
        problems.require(
            self.tls_certificate.as_os_str().is_empty() == self.tls_key.as_os_str().is_empty(),
            "edge.tls_key",
            "must be set exactly when tls_certificate is",
        );
        let header_fits =
            self.client_address_header.is_empty() || self.client_address_header.parse::<HeaderName>().is_ok();
        problems.require(header_fits, "edge.client_address_header", "must be the name of a header");
        let parent = self.parent.parse::<http::Uri>().ok();
        let is_parent =
            parent.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none());
        problems.require(
            self.parent.is_empty() || is_parent,
            "edge.parent",
            "must be an address such as https://updates.example.com",
        );
        let public_url = self.public_url.parse::<http::Uri>().ok();
        let is_public = public_url.is_some_and(|url| url.host().is_some() && url.query().is_none());
        problems.require(
            self.public_url.is_empty() || (is_public && self.public_url.starts_with("http")),
            "edge.public_url",
            "must be an address such as https://updates.example.com",
        );
        problems.require((1..=100_000).contains(&self.channels_max), "edge.channels_max", "must be 1 to 100000");
        problems.require(
            (1..=NEXT_CHECK_MAX_S).contains(&self.next_check_s),
            "edge.next_check_s",
            "must be 1 to 86400",
        );
        problems.require((1..=IDLE_MAX_S).contains(&self.idle_timeout_s), "edge.idle_timeout_s", "must be 1 to 3600");
        problems.require(self.memory_max_bytes >= 1 << 20, "edge.memory_max_bytes", "must be at least 1048576");
        problems.require(
            self.spool_max_bytes >= SPOOL_MIN_BYTES,
            "edge.spool_max_bytes",
            format!("must be at least {SPOOL_MIN_BYTES}"),
        );
    }
}
