//! This file's job is to name the tests of the main job: publish a real bundle, and a device gets it through the edge.

mod crash;
mod outage;
mod publish;
mod steer;
mod world;
