//! This file's job is to name the parts of the contract: generated types, conversions to the domain, errors on the wire.

/// The types and services that are generated from `aloft/v1/*.proto`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("aloft.v1");
}

pub mod convert;
pub mod error;
pub mod policy;

/// The encoded descriptor set of the contract with all its imports, for reflection and for reading policies.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
