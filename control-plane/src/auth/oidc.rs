//! This file's job is to name the parts that believe tokens of OpenID Connect issuers.
//!
//! ```text
//! token (a JWT taken apart, nothing believed) → issuer (whose keys, fetched and kept) → keys (signatures) → claims (times, audience)
//! ```

pub mod claims;
pub mod issuer;
pub mod keys;
pub mod provider;
pub mod token;

pub use claims::{Claims, Expected};
pub use issuer::Issuers;
pub use provider::{Provider, Subject};
