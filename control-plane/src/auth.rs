//! This file's job is to name the parts that decide who a caller is and what it may do.

pub mod caller;
pub mod edge_token;
pub mod guard;
pub mod key;
pub mod role;
pub mod verify;
