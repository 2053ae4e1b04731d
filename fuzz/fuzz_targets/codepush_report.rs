//! This file's job is to fuzz the body of a CodePush client's report.

pub use edge_proxy::foreign::codepush_report as run;
