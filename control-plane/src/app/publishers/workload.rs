//! This file's job is to read from a workflow's token what runs where, on GitHub and on GitLab.
//!
//! Claims are read one by one; `sub` is never taken apart, because its form is the repository's own choice and has changed.

use crate::auth::oidc::Claims;
use domain::Timestamp;
use domain::text_enum;

text_enum! {
    /// Who hosts repositories and runs workflows.
    pub enum Forge {
        /// GitHub Actions.
        GitHub => "github",
        /// GitLab CI.
        GitLab => "gitlab",
    }
}

/// Events for which code that nobody has reviewed may run beside the repository's identity.
const FOREIGN_EVENTS: [&str; 4] =
    ["pull_request_target", "workflow_run", "merge_request_event", "external_pull_request_event"];

/// Which issuers are which forges.
#[derive(Debug, Clone, Default)]
pub struct Forges {
    issuers: Vec<(String, Forge)>,
}

/// What runs, as its forge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// The repository's path, for people.
    pub repository: String,
    /// The repository's id, which no other one ever gets.
    pub repository_id: String,
    /// The id of the repository's owner.
    pub owner_id: String,
    /// The path of the workflow's file in the repository.
    pub workflow: String,
    /// The environment that it runs in.
    pub environment: Option<String>,
    /// The branch or tag: `refs/heads/main`.
    pub reference: String,
    /// The run, for people.
    pub run: String,
    /// The commit.
    pub commit: String,
    /// The token's id.
    pub token_id: String,
    /// When the token ends.
    pub ends_at: Timestamp,
}

impl Forges {
    /// Takes the configured issuers.
    #[must_use]
    pub fn new(github: &[String], gitlab: &[String]) -> Self {
        let of =
            |issuers: &[String], forge| issuers.iter().map(move |issuer| (issuer.clone(), forge)).collect::<Vec<_>>();
        Self { issuers: [of(github, Forge::GitHub), of(gitlab, Forge::GitLab)].concat() }
    }

    /// Returns the forge behind an issuer.
    #[must_use]
    pub fn of(&self, issuer: &str) -> Option<Forge> {
        self.issuers.iter().find(|(known, _)| known == issuer).map(|(_, forge)| *forge)
    }
}

impl Workload {
    /// Reads a token's claims.
    ///
    /// # Errors
    /// What is missing, or why such a workflow gets no key, for people.
    pub fn read(forge: Forge, claims: &Claims) -> Result<Self, String> {
        let text = |name: &str| {
            let value = claims.text(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("it does not say its {name}"))
        };
        let ends_at = claims.ends_at().ok_or("it does not say when it ends")?;
        let workload = match forge {
            Forge::GitHub => Self {
                repository: text("repository")?,
                repository_id: text("repository_id")?,
                owner_id: text("repository_owner_id")?,
                workflow: file_of(&text("workflow_ref")?, &text("repository")?)?,
                environment: claims.text("environment"),
                reference: text("ref")?,
                run: text("run_id")?,
                commit: text("sha")?,
                token_id: text("jti")?,
                ends_at,
            },
            Forge::GitLab => Self {
                repository: text("project_path")?,
                repository_id: text("project_id")?,
                owner_id: text("namespace_id")?,
                workflow: text("ci_config_ref_uri").and_then(|uri| gitlab_file(&uri))?,
                environment: claims.text("environment"),
                reference: format!("refs/{}/{}", gitlab_refs(&text("ref_type")?)?, text("ref")?),
                run: text("pipeline_id")?,
                commit: text("sha")?,
                token_id: text("jti")?,
                ends_at,
            },
        };
        let event = text(match forge {
            Forge::GitHub => "event_name",
            Forge::GitLab => "pipeline_source",
        })?;
        if FOREIGN_EVENTS.contains(&event.as_str()) {
            return Err(format!("workflows that run for {event} get no key"));
        }
        Ok(workload)
    }
}

/// GitHub: `acme/shop/.github/workflows/release.yml@refs/heads/main`, of this repository.
fn file_of(workflow_ref: &str, repository: &str) -> Result<String, String> {
    let path = workflow_ref.split('@').next().unwrap_or_default();
    let file = path.get(..repository.len()).filter(|start| start.eq_ignore_ascii_case(repository));
    let file = file.and_then(|_| path[repository.len()..].strip_prefix('/')).filter(|file| !file.is_empty());
    file.map(str::to_owned).ok_or_else(|| "its workflow is of another repository".to_owned())
}

/// GitLab: `gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main`.
fn gitlab_file(uri: &str) -> Result<String, String> {
    let file = uri.split_once("//").and_then(|(_, rest)| rest.split('@').next()).filter(|file| !file.is_empty());
    file.map(str::to_owned).ok_or_else(|| "its ci_config_ref_uri names no file".to_owned())
}

fn gitlab_refs(kind: &str) -> Result<&'static str, String> {
    match kind {
        "branch" => Ok("heads"),
        "tag" => Ok("tags"),
        _ => Err("it runs for neither a branch nor a tag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(forge: Forge, base: Value, changes: Value) -> Result<Workload, String> {
        let (Value::Object(mut claims), Value::Object(changes)) = (base, changes) else { panic!("objects") };
        claims.extend(changes);
        Workload::read(forge, &Claims::new(claims))
    }

    fn github(changes: Value) -> Result<Workload, String> {
        let base = json!({
            "repository": "acme/shop", "repository_id": "74", "repository_owner_id": "65", "event_name": "push",
            "workflow_ref": "acme/shop/.github/workflows/release.yml@refs/heads/main", "ref": "refs/heads/main",
            "run_id": "9", "sha": "abc", "jti": "j", "exp": 5, "sub": "repo:evil/evil:ref:refs/heads/main"
        });
        read(Forge::GitHub, base, changes)
    }

    fn gitlab(changes: Value) -> Result<Workload, String> {
        let base = json!({
            "project_path": "acme/shop", "project_id": "74", "namespace_id": "65", "pipeline_source": "push",
            "ci_config_ref_uri": "gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main", "ref": "main",
            "ref_type": "branch", "pipeline_id": "9", "sha": "abc", "jti": "j", "exp": 5
        });
        read(Forge::GitLab, base, changes)
    }

    #[test]
    fn both_forges_say_what_runs() {
        let one = github(json!({})).unwrap();
        assert_eq!(
            (one.workflow.as_str(), one.reference.as_str()),
            (".github/workflows/release.yml", "refs/heads/main")
        );
        let other = gitlab(json!({"project_id": 74})).unwrap();
        assert_eq!(other.workflow, ".gitlab-ci.yml");
        assert_eq!(Workload { workflow: one.workflow.clone(), ..other }, one);
    }

    #[test]
    fn unreviewed_code_and_foreign_workflows_get_nothing() {
        for event in ["pull_request_target", "workflow_run"] {
            assert!(github(json!({"event_name": event})).is_err(), "{event}");
        }
        assert!(gitlab(json!({"pipeline_source": "merge_request_event"})).is_err());
        assert!(github(json!({"workflow_ref": "acme/other/.github/workflows/release.yml@refs/heads/main"})).is_err());
        assert!(github(json!({"workflow_ref": "acme/shop-evil/x.yml@refs/heads/main"})).is_err());
        for missing in ["repository_id", "repository_owner_id", "jti", "event_name", "ref"] {
            assert!(github(json!({missing: null})).is_err(), "{missing}");
        }
    }
}
