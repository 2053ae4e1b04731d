//! This file's job is to turn the identity of a workflow that `aloft` runs in into a key.

use crate::connection::Connection;
use crate::error::Error;
use crate::progress::Progress;
use proto::v1;
use serde::Deserialize;
use std::time::Duration;

/// The forge's own service answers within a second.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);
/// Holds the token on GitLab, where the job's `id_tokens` sets it.
const TOKEN_VARIABLE: &str = "ALOFT_ID_TOKEN";
/// Set by GitHub for jobs with the permission `id-token: write`.
const GITHUB_URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Where a workflow's token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The environment has it.
    Given(String),
    /// GitHub gives it at this address to whoever has the request's token.
    GitHub {
        /// The address, with a query.
        url: String,
        /// The request's token.
        token: String,
    },
}

#[derive(Deserialize)]
struct GitHubAnswer {
    value: String,
}

impl Identity {
    /// Looks whether this is a workflow with an identity.
    #[must_use]
    pub fn find(environment: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        if let Some(token) = set(TOKEN_VARIABLE) {
            return Some(Self::Given(token));
        }
        Some(Self::GitHub { url: set(GITHUB_URL_VARIABLE)?, token: set(GITHUB_TOKEN_VARIABLE)? })
    }

    /// Exchanges the identity for a key. `channel` may be empty when the repository publishes to one only.
    pub async fn exchange(self, server: &str, channel: String, progress: Progress) -> Result<String, Error> {
        let id_token = match self {
            Self::Given(token) => token,
            Self::GitHub { url, token } => ask_github(&url, &token, audience(server)).await?,
        };
        let connection = Connection::new(server, None, progress)?;
        let request = v1::ExchangeTokenRequest { id_token, channel };
        Ok(connection.answer(connection.publishers().exchange_token(request).await)?.secret)
    }
}

/// The audience is the server's address without a path.
fn audience(server: &str) -> &str {
    server.trim_end_matches('/')
}

async fn ask_github(url: &str, token: &str, audience: &str) -> Result<String, Error> {
    let fail = |cause: reqwest::Error| Error::Unreachable {
        server: "the workflow's issuer of tokens".to_owned(),
        cause: cause.to_string(),
    };
    let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build().map_err(fail)?;
    let request = client.get(url).query(&[("audience", audience)]).bearer_auth(token);
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(fail)?;
    Ok(answer.json::<GitHubAnswer>().await.map_err(fail)?.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_found_where_forges_put_it() {
        let in_environment = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let find = |pairs| Identity::find(&in_environment(pairs));
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[("ALOFT_ID_TOKEN", "t")]), Some(Identity::Given("t".into())));
        assert_eq!(find(&[("ACTIONS_ID_TOKEN_REQUEST_URL", "u")]), None);
        let both = find(&[("ACTIONS_ID_TOKEN_REQUEST_URL", "u"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")]);
        assert_eq!(both, Some(Identity::GitHub { url: "u".into(), token: "t".into() }));
        assert_eq!(audience("https://aloft.example.com/"), "https://aloft.example.com");
    }
}
