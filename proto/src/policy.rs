//! This file's job is to read the declared policy of every RPC from the descriptor set.

use crate::v1::{Policy, Principal};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use std::collections::HashMap;
use thiserror::Error;

const EXTENSION: &str = "aloft.v1.policy";

/// The contract itself cannot be read: a mistake at build time.
#[derive(Debug, Error)]
#[error("the descriptor set cannot be read: {0}")]
pub struct InvalidDescriptors(String);

/// The policies of all RPCs, by path, for instance `/aloft.v1.AppService/GetApp`.
#[derive(Debug, Clone, Default)]
pub struct Policies(HashMap<String, Option<Policy>>);

impl Policies {
    /// Reads the policies of an encoded descriptor set, such as [`crate::FILE_DESCRIPTOR_SET`].
    ///
    /// # Errors
    /// When the bytes are not a descriptor set with the policy option.
    pub fn read(encoded: &[u8]) -> Result<Self, InvalidDescriptors> {
        let pool = DescriptorPool::decode(encoded).map_err(|error| InvalidDescriptors(error.to_string()))?;
        let extension =
            pool.get_extension_by_name(EXTENSION).ok_or_else(|| InvalidDescriptors(format!("no {EXTENSION}")))?;
        let mut policies = HashMap::new();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let policy = declared(&method, &extension)?;
                policies.insert(path, policy);
            }
        }
        Ok(Self(policies))
    }

    /// Returns the policy of the RPC with this path; none when it is unknown or declares nothing, which means that nobody may call it.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Policy> {
        self.0.get(path).and_then(Option::as_ref)
    }

    /// Returns every RPC with its policy, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&Policy>)> {
        self.0.iter().map(|(path, policy)| (path.as_str(), policy.as_ref()))
    }
}

impl Policy {
    /// Says whether callers of this kind may try.
    #[must_use]
    pub fn admits(&self, principal: Principal) -> bool {
        self.principals.contains(&(principal as i32))
    }
}

fn declared(
    method: &MethodDescriptor,
    extension: &prost_reflect::ExtensionDescriptor,
) -> Result<Option<Policy>, InvalidDescriptors> {
    let options = method.options();
    if !options.has_extension(extension) {
        return Ok(None);
    }
    match options.get_extension(extension).as_ref() {
        Value::Message(message) => decode(message).map(Some),
        other => Err(InvalidDescriptors(format!("{EXTENSION} is {other:?}"))),
    }
}

fn decode(message: &DynamicMessage) -> Result<Policy, InvalidDescriptors> {
    message.transcode_to().map_err(|error| InvalidDescriptors(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_of_the_contract_declares_a_policy() {
        let policies = Policies::read(crate::FILE_DESCRIPTOR_SET).unwrap();
        let undeclared: Vec<&str> = policies
            .iter()
            .filter(|(_, policy)| policy.is_none_or(|policy| policy.principals.is_empty()))
            .map(|(path, _)| path)
            .collect();
        assert!(undeclared.is_empty(), "{undeclared:?}");
        assert!(policies.iter().count() >= 40);
    }

    #[test]
    fn an_edge_may_sync_and_read_blobs_and_do_nothing_else() {
        let policies = Policies::read(crate::FILE_DESCRIPTOR_SET).unwrap();
        let mut open_to_edges: Vec<&str> = policies
            .iter()
            .filter(|(_, policy)| policy.is_some_and(|policy| policy.admits(Principal::Edge)))
            .map(|(path, _)| path)
            .collect();
        open_to_edges.sort_unstable();
        assert_eq!(
            open_to_edges,
            ["PushTallies", "PushTelemetry", "ReadBlob", "Sync"].map(|rpc| format!("/aloft.v1.EdgeService/{rpc}"))
        );
    }

    #[test]
    fn an_unknown_rpc_has_no_policy() {
        let policies = Policies::read(crate::FILE_DESCRIPTOR_SET).unwrap();
        assert!(policies.get("/aloft.v1.AppService/Nothing").is_none());
        assert_eq!(policies.get("/aloft.v1.AppService/GetApp").map(|policy| policy.action.as_str()), Some("read"));
    }
}
