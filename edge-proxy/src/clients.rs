//! This file's job is to make the connection to the control plane.

use crate::error::Error;
use runtime::failpoint;
use std::time::Duration;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// A control plane that does not take a connection in this time is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Finds half-open connections; the server must permit it (stream heartbeats alone would find them later).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// An unanswered ping after this long means that the connection is dead.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepares the connection; it is made when it is first needed, and again when it breaks. Needs a tokio runtime.
///
/// # Errors
/// When the address is not one.
pub fn connect(address: &str) -> Result<Channel, Error> {
    let wrong = |_| Error::Config { key: "control_plane", rule: "must be an address such as http://127.0.0.1:8070" };
    let mut endpoint = Endpoint::from_shared(address.to_owned())
        .map_err(wrong)?
        .connect_timeout(CONNECT_TIMEOUT)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    if !failpoint::is_broken("edge.silence-noticed") {
        endpoint = endpoint.http2_keep_alive_interval(KEEP_ALIVE);
    }
    if address.starts_with("https://") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_webpki_roots()).map_err(wrong)?;
    }
    Ok(endpoint.connect_lazy())
}
