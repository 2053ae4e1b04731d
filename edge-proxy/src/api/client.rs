//! This file's job is to hold what the API door knows of the client of a connection.

use crate::pace::Pace;
use crate::peer::Peer;
use pingora_proxy::Session;
use std::sync::Arc;

/// The other end of a connection.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    pub(crate) pace: Arc<Pace>,
}

impl Client {
    /// Returns who sent the request; none only for requests that no connection brought.
    pub(crate) fn of(session: &Session) -> Option<Arc<Self>> {
        let digest = session.digest()?.proxy_digest.as_ref()?;
        digest.user_data.as_ref()?.downcast_ref::<Arc<Self>>().cloned()
    }
}
