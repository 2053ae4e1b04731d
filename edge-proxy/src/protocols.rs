//! This file's job is to name the protocols of other clients that the edge speaks.

pub(crate) mod codepush;
