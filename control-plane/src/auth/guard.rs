//! This file's job is to let a call through to its handler only when the RPC's declared policy allows the caller.
//!
//! It stands in front of all services. An RPC without a policy is denied to everybody.

use crate::auth::caller::{Actor, ActorKind, Caller, EdgeCaller, Identity, Operator};
use crate::auth::denials::Denials;
use crate::auth::grant::Grant;
use crate::auth::limiter::{self, Limiter, Taken};
use crate::auth::role::{self, Action, Resource};
use crate::auth::session::{self, Sessions, SignedIn};
use crate::auth::shared_token::SharedToken;
use crate::auth::verify::Verifier;
use crate::error::{Error, Result};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use db::Scope;
use http::header::{AUTHORIZATION, SET_COOKIE};
use http::{Extensions, HeaderMap, HeaderValue};
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

/// How the audit log names the operator who has the configured token: it is nobody in particular.
const TOKEN_OPERATOR: &str = "operator-token";

/// A policy whose words are known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    resource: Resource,
    action: Action,
    principals: Vec<Principal>,
    audited: bool,
}

/// Knows every RPC's policy and can tell callers apart.
pub struct Guard {
    rules: HashMap<String, Rule>,
    verifier: Arc<Verifier>,
    sessions: Sessions,
    limiter: Limiter,
    tokens: Tokens,
    denials: Denials,
}

/// The secrets of the configuration that are credentials.
pub struct Tokens {
    /// With which edges enrol.
    pub edge: SharedToken,
    /// With which the operator calls; none when there is no such way in.
    pub operator: Option<SharedToken>,
    /// Domains of e-mail addresses whose people are operators, too.
    pub operator_domains: Vec<String>,
}

impl Guard {
    /// Makes the guard from the policies by full method path. A policy with an unknown word counts as none: it is denied.
    #[must_use]
    pub fn new(
        policies: &Policies,
        verifier: Arc<Verifier>,
        sessions: Sessions,
        limiter: Limiter,
        tokens: Tokens,
        denials: Denials,
    ) -> Self {
        let rules = policies.iter().filter_map(|(path, policy)| Some((path.to_owned(), rule(policy?)?))).collect();
        Self { rules, verifier, sessions, limiter, tokens, denials }
    }

    /// Checks the call and puts the caller into the extensions. Returns a cookie that the answer has to set; leaves in `counted` what
    /// the caller's rate came to.
    async fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        extensions: &mut Extensions,
        counted: &mut Option<Taken>,
    ) -> Result<Option<String>> {
        // Nobody else may put a caller there.
        extensions.remove::<Caller>();
        extensions.remove::<Operator>();
        extensions.remove::<EdgeCaller>();
        extensions.remove::<SignedIn>();
        if PUBLIC.contains(&path) {
            return Ok(None);
        }
        let rule = self.rules.get(path).ok_or_else(Error::forbidden)?;
        // What anybody may call must work with a credential that has ended, too.
        if rule.admits(Principal::Anonymous) {
            return Ok(None);
        }
        let identity = self.identify(headers).await?;
        if let Identity::Member(_, caller) = &identity {
            self.count(caller, counted).await?;
        }
        match identity {
            Identity::Anonymous => Err(Error::unauthenticated()),
            Identity::Edge if rule.admits(Principal::Edge) => {
                extensions.insert(EdgeCaller);
                Ok(None)
            }
            Identity::Operator(operator) if rule.admits(Principal::Operator) => {
                extensions.insert(operator);
                Ok(None)
            }
            Identity::Member(principal, caller) if rule.admits(principal) && rule.allows(&caller) => {
                extensions.insert(caller);
                Ok(None)
            }
            Identity::Person(person) if rule.admits(Principal::Operator) && self.is_operator(&person) => {
                let actor = Actor { kind: ActorKind::Operator, ..person.actor() };
                extensions.insert(Operator { actor });
                self.refresh(rule, &person, headers).await
            }
            Identity::Person(person) if rule.admits(Principal::Session) => {
                self.admit_person((path, rule), *person, headers, extensions, counted).await
            }
            Identity::Member(_, caller) => {
                self.note_denial(path, rule, &caller).await;
                Err(Error::forbidden())
            }
            Identity::Edge | Identity::Operator(_) | Identity::Person(_) => Err(Error::forbidden()),
        }
    }

    /// A person's own account is nobody else's business; for everything else the person acts for an organization, in the role there.
    async fn admit_person(
        &self,
        (path, rule): (&str, &Rule),
        person: SignedIn,
        headers: &HeaderMap,
        extensions: &mut Extensions,
        counted: &mut Option<Taken>,
    ) -> Result<Option<String>> {
        if rule.resource != Resource::Person {
            let (organization, member) = person.place(headers)?;
            let scope = Scope::authorized(organization.id.clone());
            let caller = Caller { scope, role: member.role, grant: Grant::default(), actor: person.actor() };
            self.count(&caller, counted).await?;
            if !rule.allows(&caller) {
                self.note_denial(path, rule, &caller).await;
                return Err(Error::forbidden());
            }
            extensions.insert(caller);
        }
        let cookie = self.refresh(rule, &person, headers).await?;
        extensions.insert(person);
        Ok(cookie)
    }

    /// Moves the end of the person's session on, if the call changes something.
    async fn refresh(&self, rule: &Rule, person: &SignedIn, headers: &HeaderMap) -> Result<Option<String>> {
        match rule.action {
            Action::Read => Ok(None),
            Action::Write | Action::Admin => self.sessions.refresh(&person.session, headers).await,
        }
    }

    /// Says whether the person runs the installation: by an address that they have proved to read the mail of. A session that was
    /// limited to one organization does not.
    fn is_operator(&self, person: &SignedIn) -> bool {
        let domain = person.account.email.as_str().rsplit_once('@').map(|(_, domain)| domain);
        let is_ours = domain.is_some_and(|domain| self.tokens.operator_domains.iter().any(|ours| ours == domain));
        is_ours && person.account.email_verified_at.is_some() && person.session.organization.is_none()
    }

    /// Writes down that somebody tried what their role or their key does not carry, if doing it would have been written down.
    async fn note_denial(&self, path: &str, rule: &Rule, caller: &Caller) {
        if rule.audited {
            self.denials.note(path, caller).await;
        }
    }

    /// Counts a request of the caller.
    async fn count(&self, caller: &Caller, counted: &mut Option<Taken>) -> Result<()> {
        let taken = *counted.insert(self.limiter.take(caller).await?);
        if taken.is_admitted() { Ok(()) } else { Err(limiter::refusal(taken)) }
    }

    async fn identify(&self, headers: &HeaderMap) -> Result<Identity> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            let person = self.sessions.of_cookie(headers).await?;
            return Ok(person.map_or(Identity::Anonymous, |person| Identity::Person(Box::new(person))));
        };
        let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        // Two credentials: nobody could say which one counts.
        let token = token.filter(|_| values.next().is_none()).ok_or_else(Error::unauthenticated)?;
        if token.starts_with("cp_") {
            let caller = self.verifier.verify(token).await?;
            return Ok(Identity::Member(Principal::ApiKey, caller));
        }
        if token.starts_with(session::TOKEN_PREFIX) {
            return Ok(Identity::Person(Box::new(self.sessions.of_token(token).await?)));
        }
        if self.tokens.edge.matches(token) {
            return Ok(Identity::Edge);
        }
        if self.tokens.operator.as_ref().is_some_and(|operator| operator.matches(token)) {
            let actor = Actor {
                kind: ActorKind::Operator,
                id: TOKEN_OPERATOR.to_owned(),
                credential: TOKEN_OPERATOR.to_owned(),
            };
            return Ok(Identity::Operator(Operator { actor }));
        }
        Err(Error::unauthenticated())
    }
}

impl Rule {
    fn admits(&self, principal: Principal) -> bool {
        self.principals.contains(&principal)
    }

    fn allows(&self, caller: &Caller) -> bool {
        let in_reach = !(self.resource.is_of_organization() && caller.scope.is_partial());
        in_reach
            && role::allows(caller.role, self.resource, self.action)
            && caller.grant.allows(self.resource, self.action)
    }
}

fn rule(policy: &Policy) -> Option<Rule> {
    Some(Rule {
        resource: policy.resource.parse().ok()?,
        action: policy.action.parse().ok()?,
        principals: policy.principals().filter(|principal| *principal != Principal::Unspecified).collect(),
        audited: policy.audited,
    })
}

/// The middleware: answers refused calls itself, in gRPC's form.
pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut counted = None;
    let admitted = guard.admit(parts.uri.path(), &parts.headers, &mut parts.extensions, &mut counted).await;
    let mut answer = match admitted {
        Ok(cookie) => {
            let mut answer = next.run(Request::from_parts(parts, body)).await;
            // A handler that sets the cookie itself, as signing out does, has the last word.
            if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok())
                && !answer.headers().contains_key(SET_COOKIE)
            {
                answer.headers_mut().insert(SET_COOKIE, cookie);
            }
            answer
        }
        Err(error) => tonic::Status::from(error).into_http(),
    };
    if let Some(taken) = counted {
        limiter::tell(taken, answer.headers_mut());
    }
    answer
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
