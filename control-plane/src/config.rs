//! This file's job is to define the control plane's configuration.

use crate::auth::shared_token::SharedToken;
use crate::auth::{oidc, site};
use domain::EmailAddress;
use domain::web_address::WebReach;
use http::HeaderName;
use runtime::config::{Problems, Validate};
use runtime::secret::{ExposeSecret as _, Secret};
use runtime::vault;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// Shorter secrets can be guessed.
const SECRET_MIN_CHARACTERS: usize = 32;
/// What bcrypt takes at the least, and what makes a key cost five seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;
/// A change must reach every replica within a second, and looking takes some time, too.
const POLL_MAX_MS: u64 = 750;

/// The configuration; `config.default.toml` says what each key means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// A folder with the dashboard's files; empty for none.
    pub dashboard_folder: PathBuf,
    /// Where browsers see the server; empty for the address that it listens on.
    pub public_url: String,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// The header in which a proxy says where a call came from; empty for none.
    pub client_address_header: String,
    /// Web origins that browsers may call from.
    pub allowed_origins: Vec<String>,
    /// Protects stored API keys and page tokens.
    pub pepper: Secret,
    /// Under which secrets in the database are sealed, newest first, each `ID:64 hexadecimal digits`.
    pub master_keys: Vec<Secret>,
    /// Whether webhooks may lead to private networks, and be unencrypted.
    pub webhooks_to_private_networks: bool,
    /// The OpenID Connect provider with which people may sign in; empty for none.
    pub provider_issuer: String,
    /// What this server is called there.
    pub provider_client_id: String,
    /// With which it proves that.
    pub provider_client_secret: Secret,
    /// What people call the provider.
    pub provider_name: String,
    /// Domains whose people run the installation.
    pub operator_domains: Vec<String>,
    /// Issuers of tokens for workflows of GitHub Actions.
    pub github_issuers: Vec<String>,
    /// Issuers of tokens for jobs of GitLab CI.
    pub gitlab_issuers: Vec<String>,
    /// bcrypt's cost for new API keys: 2 to this power rounds.
    pub bcrypt_cost: u32,
    /// The secret with which edges enrol.
    pub edge_token: Secret,
    /// The secret with which whoever runs the installation calls; empty for none.
    pub operator_token: Secret,
    /// The largest archive in bytes.
    pub upload_max_bytes: u64,
    /// How long a package of CodePush's management clients may take to arrive.
    pub package_max_s: u64,
    /// How long an unfinished upload is kept.
    pub upload_keep_hours: u64,
    /// Calls at the same time.
    pub calls_max: usize,
    /// How long one call may take.
    pub call_timeout_ms: u64,
    /// How often changes are looked for.
    pub poll_ms: u64,
    /// Short name of the organization that is made on first start.
    pub first_organization: String,
    /// E-mail of the owner that is made on first start.
    pub first_owner_email: String,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Whoever was invited to an organization.
    Invited,
    /// Anybody.
    Open,
}

impl Config {
    /// The commented defaults of the `[control_plane]` table.
    pub const DEFAULTS: &str = include_str!("../config.default.toml");

    /// Returns where webhooks may lead to.
    pub(crate) const fn web_reach(&self) -> WebReach {
        if self.webhooks_to_private_networks { WebReach::Everywhere } else { WebReach::Public }
    }

    /// Returns the operator's token, if there is one.
    pub(crate) fn operator_token(&self) -> Option<SharedToken> {
        let is_set = !self.operator_token.expose_secret().is_empty();
        is_set.then(|| SharedToken::new(&self.operator_token))
    }
}

impl Config {
    /// Returns the provider with which people may sign in, if there is one.
    pub(crate) fn provider(&self) -> Option<oidc::provider::Settings> {
        (!self.provider_issuer.is_empty()).then(|| oidc::provider::Settings {
            issuer: self.provider_issuer.clone(),
            client_id: self.provider_client_id.clone(),
            client_secret: self.provider_client_secret.clone(),
            name: self.provider_name.clone(),
        })
    }
}

impl Validate for Config {
    fn validate(&self, problems: &mut Problems) {
        let long_enough = |secret: &Secret| secret.expose_secret().chars().count() >= SECRET_MIN_CHARACTERS;
        problems.require(long_enough(&self.pepper), "control_plane.pepper", "must have at least 32 characters");
        for key in &self.master_keys {
            if let Err(rule) = vault::parse(key) {
                problems.add("control_plane.master_keys", rule);
            }
        }
        for issuer in self.github_issuers.iter().chain(&self.gitlab_issuers) {
            let is_safe = issuer.parse::<Url>().is_ok_and(|url| oidc::issuer::is_safe(&url));
            problems.require(is_safe, "control_plane.github_issuers", "and gitlab_issuers must be https:// addresses");
        }
        if let Some(provider) = self.provider() {
            let is_safe = provider.issuer.parse::<Url>().is_ok_and(|url| oidc::issuer::is_safe(&url));
            problems.require(is_safe, "control_plane.provider_issuer", "must be an https:// address");
            let is_known = !provider.client_id.is_empty() && !provider.client_secret.expose_secret().is_empty();
            problems.require(
                is_known,
                "control_plane.provider_client_id",
                "and provider_client_secret must not be empty",
            );
        }
        for domain in &self.operator_domains {
            let fits = format!("x@{domain}")
                .parse::<EmailAddress>()
                .is_ok_and(|email| email.as_str() == format!("x@{domain}"));
            problems.require(fits, "control_plane.operator_domains", "must look like example.com, in lower case");
        }
        problems.require(BCRYPT_COSTS.contains(&self.bcrypt_cost), "control_plane.bcrypt_cost", "must be 4 to 16");
        problems.require(long_enough(&self.edge_token), "control_plane.edge_token", "must have at least 32 characters");
        let operator_fits = self.operator_token.expose_secret().is_empty() || long_enough(&self.operator_token);
        problems.require(operator_fits, "control_plane.operator_token", "must be empty or have at least 32 characters");
        problems.require(self.upload_max_bytes > 0, "control_plane.upload_max_bytes", "must not be 0");
        problems.require(self.package_max_s > 0, "control_plane.package_max_s", "must not be 0");
        problems.require(self.upload_keep_hours > 0, "control_plane.upload_keep_hours", "must not be 0");
        problems.require(self.calls_max > 0, "control_plane.calls_max", "must not be 0");
        problems.require(self.call_timeout_ms > 0, "control_plane.call_timeout_ms", "must not be 0");
        let poll_fits = (10..=POLL_MAX_MS).contains(&self.poll_ms);
        problems.require(poll_fits, "control_plane.poll_ms", "must be 10 to 750");
        let slug = self.first_organization.parse::<domain::name::OrganizationSlug>();
        if let Err(invalid) = slug {
            problems.add("control_plane.first_organization", invalid.rule);
        }
        if let Err(rule) = public_url(&self.public_url) {
            problems.add("control_plane.public_url", rule);
        }
        if let Err(invalid) = self.first_owner_email.parse::<EmailAddress>() {
            problems.add("control_plane.first_owner_email", invalid.rule);
        }
        let header_fits =
            self.client_address_header.is_empty() || self.client_address_header.parse::<HeaderName>().is_ok();
        problems.require(header_fits, "control_plane.client_address_header", "must be the name of a header");
        for origin in &self.allowed_origins {
            let is_origin = origin.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.path() == "/")
                && !origin.ends_with('/');
            problems.require(is_origin, "control_plane.allowed_origins", "must look like https://ops.example.com");
        }
    }
}

/// Without encryption anybody on the way could read sessions; only on this machine nobody is on the way.
fn public_url(text: &str) -> Result<(), &'static str> {
    const RULE: &str = "must look like https://aloft.example.com; http:// is for this machine only";
    if text.is_empty() {
        return Ok(());
    }
    let url: Url = text.parse().map_err(|_| RULE)?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && site::is_loopback(&url));
    let is_bare = url.path() == "/" && url.query().is_none() && !text.ends_with('/') && url.username().is_empty();
    if is_safe && is_bare { Ok(()) } else { Err(RULE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Whole {
        control_plane: Config,
    }

    impl Validate for Whole {
        fn validate(&self, problems: &mut Problems) {
            self.control_plane.validate(problems);
        }
    }

    fn load(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
        let environment = pairs.iter().map(|(key, value)| (format!("ALOFT_CONTROL_PLANE__{key}"), (*value).to_owned()));
        runtime::config::load::<Whole>(&[Config::DEFAULTS], None, environment).map(|whole| whole.control_plane)
    }

    #[test]
    fn the_defaults_lack_only_the_two_secrets() {
        let problems = load(&[]).expect_err("secrets have no default").to_string();
        assert!(problems.contains("2 mistake(s)") && problems.contains("pepper") && problems.contains("edge_token"));
        let secret = "x".repeat(32);
        assert!(load(&[("PEPPER", &secret), ("EDGE_TOKEN", &secret)]).is_ok());
    }

    #[test]
    fn sessions_travel_encrypted_except_on_this_machine() {
        for good in
            ["", "https://aloft.example.com", "https://a.example:8443", "http://localhost:8070", "http://127.0.0.1:1"]
        {
            assert_eq!(public_url(good), Ok(()), "{good}");
        }
        for bad in
            ["http://aloft.example.com", "https://a.example/", "https://a.example/x", "a.example", "ftp://localhost"]
        {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn changes_are_looked_for_often_enough_to_be_heard_of_within_a_second() {
        let secret = "x".repeat(32);
        let with = |poll_ms| load(&[("PEPPER", &secret), ("EDGE_TOKEN", &secret), ("POLL_MS", poll_ms)]);
        assert!(with("750").is_ok() && with("10").is_ok());
        assert!(with("751").is_err() && with("0").is_err());
    }

    #[test]
    fn origins_are_scheme_and_host_only() {
        let secret = "x".repeat(32);
        let with = |origin| load(&[("PEPPER", &secret), ("EDGE_TOKEN", &secret), ("ALLOWED_ORIGINS", origin)]);
        assert!(with("https://ops.example.com,http://localhost:5173").is_ok());
        assert!(with("https://ops.example.com/").is_err());
        assert!(with("ops.example.com").is_err());
    }
}
