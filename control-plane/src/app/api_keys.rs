//! This file's job is to name what can be done with API keys.

mod create;
mod revoke;
mod roll;
mod update;

pub use create::{NewKey, create};
pub use revoke::revoke;
pub use roll::{Roll, roll};
pub use update::{Update, update};

use crate::auth::key::ApiKey;
use crate::auth::verify::Hasher;
use crate::error::Result;
use domain::Environment;

/// A key that nobody has yet, with what is stored of it.
pub struct Minted {
    /// The key.
    pub key: ApiKey,
    /// What is stored of it.
    pub stored: String,
}

/// Makes a key. Takes about 0.3 s of one core, so it comes before the transaction.
///
/// # Errors
/// Unavailable when too many keys are being made or verified.
pub async fn mint(hasher: &Hasher, environment: Environment) -> Result<Minted> {
    let key = ApiKey::generate(environment);
    let stored = hasher.hash(&key).await?;
    Ok(Minted { key, stored })
}
