//! This file's job is to name what the edge knows about devices: how they register and how they prove who they are.

pub(crate) mod register;
pub(crate) mod token;
