//! This file's job is to name the tests of the main job: publish a real bundle, and a device gets it through the edge.
#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

mod api_port;
mod crash;
mod database;
mod faults;
mod migrate;
mod outage;
mod publish;
mod queue;
mod secrets;
mod steer;
mod telemetry;
mod world;
