//! This file's job is to name the protocols of clients that were made for other servers.

pub(crate) mod codepush;
pub(crate) mod expo;
