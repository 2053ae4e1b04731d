//! This file's job is to read apps, deployments, histories and packages from a CodePush server.

use crate::error::Error;
use domain::codepush::short_name;
use reqwest::header::ACCEPT;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;
use tempfile::NamedTempFile;
use url::Url;

/// What the clients of these servers ask for.
const KIND: &str = "application/vnd.code-push.v2+json";
/// A server on another continent answers a handshake well within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that sends nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A history of 50 releases, each with a long description and a list of differences.
const ANSWER_MAX_BYTES: usize = 32 << 20;
/// The servers take packages of 200 MB.
const PACKAGE_MAX_BYTES: u64 = 200 << 20;

/// A server with the access key to use there.
pub struct Server {
    client: Client,
    address: Url,
    access_key: String,
}

/// An app there.
#[derive(Debug, Clone, Deserialize)]
pub struct App {
    /// Its name.
    pub name: String,
    #[serde(default)]
    collaborators: BTreeMap<String, Collaborator>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collaborator {
    permission: String,
    #[serde(default)]
    is_current_account: bool,
}

/// A deployment there.
#[derive(Debug, Clone, Deserialize)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// The key that apps have.
    pub key: String,
}

/// A release there. Servers leave fields out that were never set.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// "v" and a number.
    #[serde(default)]
    pub label: String,
    /// For which binaries it is.
    pub app_version: String,
    /// Shown to people on the device.
    pub description: Option<String>,
    /// Whether nobody gets it.
    pub is_disabled: Option<bool>,
    /// Whether devices install it at once.
    pub is_mandatory: Option<bool>,
    /// Percent of the devices; everybody when not set.
    pub rollout: Option<u32>,
    /// What the server says is the hash of its files.
    pub package_hash: String,
    /// Where the package is.
    pub blob_url: String,
}

impl Package {
    /// Returns the number in the label.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.label.strip_prefix('v')?.parse().ok().filter(|seq| *seq > 0)
    }
}

#[derive(Deserialize)]
struct Apps {
    apps: Vec<App>,
}

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
struct History {
    history: Vec<Package>,
}

impl App {
    /// Returns how requests name the app. One of somebody else is named with its owner.
    fn parameter(&self) -> String {
        let is_owner = |one: &&Collaborator| one.is_current_account && one.permission == "Owner";
        let owner = self.collaborators.iter().find(|(_, one)| one.permission == "Owner");
        let own = self.collaborators.values().any(|one| is_owner(&one));
        let name = self.name.replace('/', "~~");
        match owner.filter(|_| !own) {
            Some((email, _)) => format!("{email}:{name}"),
            None => name,
        }
    }
}

impl Server {
    /// Prepares the way to a server; nothing is sent yet.
    pub fn new(address: &str, access_key: &str) -> Result<Self, Error> {
        let address: Url = address.parse().map_err(|error| Error::Usage(format!("--from: {error}")))?;
        if address.cannot_be_a_base() || !matches!(address.scheme(), "http" | "https") {
            return Err(Error::Usage("--from must begin with https:// or http://".to_owned()));
        }
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(SILENCE_MAX).build();
        let client = client.map_err(|cause| unreachable(&address, &cause))?;
        Ok(Self { client, address, access_key: access_key.to_owned() })
    }

    /// Lists the apps that are wanted; all when none is named.
    pub async fn apps(&self, only: &[String]) -> Result<Vec<App>, Error> {
        let mut apps = self.get::<Apps>(&["apps"]).await?.apps;
        if let Some(absent) = only.iter().find(|name| !apps.iter().any(|app| app.name == **name)) {
            return Err(Error::Usage(format!("--only: the server has no app {absent:?}")));
        }
        apps.retain(|app| only.is_empty() || only.contains(&app.name));
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for app in &apps {
            if let Some(other) = seen.insert(short_name(&app.name), &app.name) {
                let text =
                    format!("{other:?} and {:?} would have one short name here: carry them over with --only", app.name);
                return Err(Error::Usage(text));
            }
        }
        Ok(apps)
    }

    /// Lists an app's deployments.
    pub async fn deployments(&self, app: &App) -> Result<Vec<Deployment>, Error> {
        Ok(self.get::<Deployments>(&["apps", &app.parameter(), "deployments"]).await?.deployments)
    }

    /// Lists a deployment's releases, oldest first.
    pub async fn history(&self, app: &App, deployment: &Deployment) -> Result<Vec<Package>, Error> {
        let path = ["apps", &app.parameter(), "deployments", &deployment.name, "history"];
        let mut history = self.get::<History>(&path).await?.history;
        history.sort_by_key(Package::seq);
        Ok(history)
    }

    /// Downloads a package into a file that is gone when it is dropped. The access key is for the server alone, not for where it keeps files.
    pub async fn download(&self, package: &Package) -> Result<NamedTempFile, Error> {
        let url: Url = package.blob_url.parse().map_err(|_| Error::Content("its package has no address".to_owned()))?;
        let request = self.client.get(url.clone());
        let own = url.origin() == self.address.origin();
        let request = if own { request.bearer_auth(&self.access_key) } else { request };
        let mut answer = checked(&url, request.send().await).await?;
        let disk = |source| Error::file(&std::env::temp_dir(), source);
        let mut file = NamedTempFile::new().map_err(disk)?;
        let mut size_bytes = 0;
        while let Some(piece) = answer.chunk().await.map_err(|cause| unreachable(&url, &cause))? {
            size_bytes += piece.len() as u64;
            if size_bytes > PACKAGE_MAX_BYTES {
                return Err(Error::Content("its package is too large".to_owned()));
            }
            file.write_all(&piece).map_err(disk)?;
        }
        file.flush().map_err(disk)?;
        Ok(file)
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Error> {
        let mut url = self.address.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        let request = self.client.get(url.clone()).header(ACCEPT, KIND).bearer_auth(&self.access_key);
        let mut answer = checked(&url, request.send().await).await?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|cause| unreachable(&url, &cause))? {
            if body.len() + piece.len() > ANSWER_MAX_BYTES {
                return Err(Error::Answer(format!("{url} answers too much")));
            }
            body.extend_from_slice(&piece);
        }
        serde_json::from_slice(&body).map_err(|error| Error::Answer(format!("{url}: {error}")))
    }
}

async fn checked(url: &Url, answer: Result<Response, reqwest::Error>) -> Result<Response, Error> {
    let answer = answer.map_err(|cause| unreachable(url, &cause))?;
    let status = answer.status();
    match status {
        status if status.is_success() => Ok(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(Error::Usage(format!("--access-key: {url} refuses it ({status})")))
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(Error::Unreachable { server: url.to_string(), cause: status.to_string() })
        }
        status => Err(Error::Content(format!("{url} answers {status}"))),
    }
}

fn unreachable(url: &Url, cause: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = cause;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::Unreachable { server: url.to_string(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_read_as_servers_write_them() {
        let recorded = r#"{"history":[{"description":"hello","isDisabled":false,"isMandatory":true,"rollout":null,
            "appVersion":"1.0.0","packageHash":"35","blobUrl":"http://127.0.0.1/x","size":3,"manifestBlobUrl":"y",
            "releaseMethod":"Upload","uploadTime":1795460445126,"label":"v12","releasedBy":"a@b.c","diffPackageMap":null},
            {"appVersion":"*","packageHash":"36","blobUrl":""}]}"#;
        let history = serde_json::from_str::<History>(recorded).unwrap().history;
        assert_eq!((history[0].seq(), history[0].is_mandatory, history[0].rollout), (Some(12), Some(true), None));
        assert_eq!((history[1].seq(), history[1].description.clone()), (None, None));
    }

    #[test]
    fn an_app_of_somebody_else_is_named_with_its_owner() {
        let app = |collaborators: &str| {
            let text = format!(r#"{{"name":"Acme/Trailhead","collaborators":{collaborators}}}"#);
            serde_json::from_str::<App>(&text).unwrap().parameter()
        };
        assert_eq!(app("{}"), "Acme~~Trailhead");
        assert_eq!(app(r#"{"me@x.y":{"permission":"Owner","isCurrentAccount":true}}"#), "Acme~~Trailhead");
        let shared =
            r#"{"me@x.y":{"permission":"Collaborator","isCurrentAccount":true},"o@x.y":{"permission":"Owner"}}"#;
        assert_eq!(app(shared), "o@x.y:Acme~~Trailhead");
    }
}
