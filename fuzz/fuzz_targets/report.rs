//! This file's job is to fuzz the body of a report of events.

pub use edge_proxy::foreign::report as run;
