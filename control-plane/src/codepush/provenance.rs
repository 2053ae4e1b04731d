//! This file's job is to say who made releases, and where their content was released before.

use super::services::Services;
use super::{collaborators, deployments, name, releases};
use proto::v1;
use std::collections::{BTreeMap, BTreeSet};
use tonic::{Code, Status};

/// Where a release's content was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) label: String,
    /// The deployment that it was promoted from; none for the release's own.
    pub(super) deployment: Option<String>,
}

/// What there is to tell of some releases of one channel.
#[derive(Debug, Default)]
pub(super) struct Provenance {
    /// By the id of the person or key.
    authors: BTreeMap<String, String>,
    /// By the id of the release that the content comes from.
    origins: BTreeMap<String, Origin>,
}

impl Provenance {
    /// Looks up what the releases name.
    pub(super) async fn of(services: &Services, listed: &[v1::Release]) -> Result<Self, Status> {
        let mut found = Self::default();
        let authors: BTreeSet<&str> = listed.iter().map(|release| release.created_by.as_str()).collect();
        found.find_authors(services, &authors).await?;
        let wanted: BTreeSet<&str> = listed.iter().map(|release| release.origin_release.as_str()).collect();
        if let Some(first) = listed.first() {
            let channel = first.name.split("/releases/").next().unwrap_or_default();
            found.find_origins(services, channel, wanted).await?;
        }
        Ok(found)
    }

    /// Returns who made the release: an e-mail address, or the public part of a key.
    pub(super) fn author<'a>(&'a self, release: &'a v1::Release) -> &'a str {
        self.authors.get(&release.created_by).unwrap_or(&release.created_by)
    }

    /// Returns where the content comes from; none when that was deleted, or nowhere else.
    pub(super) fn origin(&self, release: &v1::Release) -> Option<&Origin> {
        self.origins.get(&release.origin_release)
    }

    /// Whoever is gone, or may not be seen by the caller, is named by the id.
    async fn find_authors(&mut self, services: &Services, ids: &BTreeSet<&str>) -> Result<(), Status> {
        if ids.iter().any(|id| id.starts_with("usr_")) {
            let members = seen(collaborators::members(services).await)?.unwrap_or_default();
            self.authors.extend(members.into_iter().map(|member| (member.person_id, member.email)));
        }
        for id in ids.iter().filter(|id| id.starts_with("key_")) {
            let request = v1::GetApiKeyRequest { name: format!("keys/{id}") };
            let key = seen(services.api_keys().get_api_key(request).await)?;
            if let Some(key) = key.and_then(|answer| answer.into_inner().api_key) {
                self.authors.insert((*id).to_owned(), key.public_id);
            }
        }
        Ok(())
    }

    /// Looks in the releases' own channel, then in the other ones of its app.
    async fn find_origins(&mut self, services: &Services, own: &str, mut wanted: BTreeSet<&str>) -> Result<(), Status> {
        wanted.remove("");
        if wanted.is_empty() {
            return Ok(());
        }
        let app = own.split("/channels/").next().unwrap_or_default();
        let mut channels = deployments::channels(services, app).await?;
        channels.sort_by_key(|channel| channel.name != own);
        for channel in channels {
            for release in releases::list(services, &channel.name).await? {
                if wanted.remove(release.release_id.as_str()) {
                    let deployment = (channel.name != own).then(|| name::of_channel(&channel).to_owned());
                    self.origins.insert(release.release_id, Origin { label: release.label, deployment });
                }
            }
            if wanted.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

/// What the caller may not see, or is gone, is left out.
fn seen<T>(answer: Result<T, Status>) -> Result<Option<T>, Status> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if matches!(status.code(), Code::PermissionDenied | Code::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}
