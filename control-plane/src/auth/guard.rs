//! This file's job is to let a call through to its handler only when the RPC's declared policy allows the caller.
//!
//! It stands in front of all services. An RPC without a policy is denied to everybody.

use crate::auth::caller::{Caller, EdgeCaller};
use crate::auth::edge_token::EdgeToken;
use crate::auth::role::{self, Action, Resource};
use crate::auth::verify::Verifier;
use crate::error::{Error, Result};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};
use proto::policy::Policies;
use proto::v1::{Policy, Principal};
use std::collections::HashMap;
use std::sync::Arc;

/// The standard services that come without our policies. They tell nothing about anybody's data.
const PUBLIC: [&str; 5] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// A policy whose words are known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    resource: Resource,
    action: Action,
    principals: Vec<Principal>,
}

/// Knows every RPC's policy and can tell callers apart.
pub struct Guard {
    rules: HashMap<String, Rule>,
    verifier: Arc<Verifier>,
    edge_token: EdgeToken,
}

enum Credential {
    None,
    Key(Caller),
    Edge,
}

impl Guard {
    /// Makes the guard from the policies by full method path. A policy with an unknown word counts as none: it is denied.
    #[must_use]
    pub fn new(policies: &Policies, verifier: Arc<Verifier>, edge_token: EdgeToken) -> Self {
        let rules = policies.iter().filter_map(|(path, policy)| Some((path.to_owned(), rule(policy?)?))).collect();
        Self { rules, verifier, edge_token }
    }

    /// Checks the call and puts the caller into the extensions.
    async fn admit(&self, path: &str, headers: &HeaderMap, extensions: &mut Extensions) -> Result<()> {
        // Nobody else may put a caller there.
        extensions.remove::<Caller>();
        extensions.remove::<EdgeCaller>();
        if PUBLIC.contains(&path) {
            return Ok(());
        }
        let rule = self.rules.get(path).ok_or_else(Error::forbidden)?;
        match self.authenticate(headers).await? {
            Credential::None if rule.principals.contains(&Principal::Anonymous) => Ok(()),
            Credential::None => Err(Error::unauthenticated()),
            Credential::Edge if rule.principals.contains(&Principal::Edge) => {
                extensions.insert(EdgeCaller);
                Ok(())
            }
            Credential::Key(caller)
                if rule.principals.contains(&Principal::ApiKey)
                    && role::allows(caller.role, rule.resource, rule.action) =>
            {
                extensions.insert(caller);
                Ok(())
            }
            Credential::Edge | Credential::Key(_) => Err(Error::forbidden()),
        }
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Credential> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Credential::None) };
        let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        // Two credentials: nobody could say which one counts.
        let token = token.filter(|_| values.next().is_none()).ok_or_else(Error::unauthenticated)?;
        if token.starts_with("cp_") {
            return self.verifier.verify(token).await.map(Credential::Key);
        }
        if self.edge_token.matches(token) { Ok(Credential::Edge) } else { Err(Error::unauthenticated()) }
    }
}

fn rule(policy: &Policy) -> Option<Rule> {
    Some(Rule {
        resource: policy.resource.parse().ok()?,
        action: policy.action.parse().ok()?,
        principals: policy.principals().filter(|principal| *principal != Principal::Unspecified).collect(),
    })
}

/// The middleware: answers refused calls itself, in gRPC's form.
pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match guard.admit(parts.uri.path(), &parts.headers, &mut parts.extensions).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => tonic::Status::from(error).into_http(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_the_contract_has_known_words() {
        let policies = Policies::read(proto::FILE_DESCRIPTOR_SET).unwrap();
        let ours = policies.iter().filter(|(path, _)| path.starts_with("/aloft."));
        let unreadable: Vec<&str> =
            ours.filter(|(_, policy)| policy.and_then(rule).is_none()).map(|(path, _)| path).collect();
        assert!(unreadable.is_empty(), "{unreadable:?}");
    }

    #[test]
    fn a_policy_with_an_unknown_word_counts_as_none() {
        let policy = Policy { resource: "relese".into(), action: "read".into(), ..Policy::default() };
        assert_eq!(rule(&policy), None);
    }
}
