//! This file's job is to fuzz the body of a registration.

pub use edge_proxy::foreign::registration as run;
