//! This file's job is to carry who makes a call from the guard to the handlers.

use crate::auth::grant::Grant;
use crate::auth::session::SignedIn;
use crate::error::Error;
use db::{Role, Scope};
use domain::Environment;
use domain::id::OrganizationId;
use domain::text_enum;
use proto::v1::Principal;
use tonic::Request;

text_enum! {
    /// What kind of somebody acts, as the audit log names it.
    pub enum ActorKind {
        /// A program with an API key.
        ApiKey => "api-key",
        /// A person who signed in.
        Person => "person",
        /// A workflow with a token of its forge.
        Workflow => "workflow",
        /// Whoever runs the installation.
        Operator => "operator",
    }
}

/// Who acts, and with which credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// Their id: of the key, of the person.
    pub id: String,
    /// The part of the credential that may be shown, for instance `cp_live_3f9a1c2b`.
    pub credential: String,
}

/// Somebody who acts for an organization. Only the guard makes one, after it has checked the credential.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What the caller may touch.
    pub scope: Scope,
    /// What the caller is in its organization.
    pub role: Role,
    /// What of that role the credential carries.
    pub grant: Grant,
    /// Who it is.
    pub actor: Actor,
}

impl Caller {
    /// Returns the organization.
    #[must_use]
    pub const fn organization(&self) -> &OrganizationId {
        self.scope.organization()
    }

    /// Returns the scope of a caller who deals with live channels, too. Some things are there for these, and nothing for a test key.
    ///
    /// # Errors
    /// Permission denied for a test key.
    pub fn live_scope(&self) -> Result<&Scope, Error> {
        if self.scope.reach().environment == Some(Environment::Test) {
            Err(Error::forbidden())
        } else {
            Ok(&self.scope)
        }
    }
}

/// Whoever runs the installation. Acts for no organization, so it has no scope.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Who it is.
    pub actor: Actor,
}

/// An edge proxy with its enrolment token. Which one it is, it says itself.
#[derive(Debug, Clone, Copy)]
pub struct EdgeCaller;

/// What the guard found out about a call's credential.
#[derive(Debug, Clone)]
pub enum Identity {
    /// There is none.
    Anonymous,
    /// Somebody acts for an organization, as this kind of principal: with an API key.
    Member(Principal, Caller),
    /// A person is signed in; for whom they act, the call says.
    Person(Box<SignedIn>),
    /// An edge.
    Edge,
    /// Whoever runs the installation.
    Operator(Operator),
}

/// Returns who made the call.
///
/// # Errors
/// Permission denied when the guard let the call through for another kind of caller: the policy and the handler disagree.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Error> {
    request.extensions().get::<Caller>().cloned().ok_or_else(Error::forbidden)
}

/// Returns the operator who made the call.
///
/// # Errors
/// Permission denied when the guard let the call through for another kind of caller.
pub fn operator<T>(request: &Request<T>) -> Result<Operator, Error> {
    request.extensions().get::<Operator>().cloned().ok_or_else(Error::forbidden)
}

/// Returns who is signed in.
///
/// # Errors
/// Permission denied when the guard let the call through for another kind of caller.
pub fn signed_in<T>(request: &Request<T>) -> Result<SignedIn, Error> {
    request.extensions().get::<SignedIn>().cloned().ok_or_else(Error::forbidden)
}

/// Checks that an edge made the call.
///
/// # Errors
/// Permission denied when the guard let the call through for another kind of caller.
pub fn edge_caller<T>(request: &Request<T>) -> Result<EdgeCaller, Error> {
    request.extensions().get::<EdgeCaller>().copied().ok_or_else(Error::forbidden)
}
