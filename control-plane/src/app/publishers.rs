//! This file's job is to name what can be done about trusted publishers: workflows whose identity stands in for a key.

mod create;
mod exchange;
mod workload;

pub use create::{NewPublisher, create, delete};
pub use exchange::exchange;
pub use workload::Forges;
