//! This file's job is to name the tests of the Helm chart: rendered by Helm, it must fit Kubernetes and our own processes.
#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

mod agreement;
mod cases;
mod cluster;
mod features;
mod pod;
mod release;
mod rendering;
mod settings;
