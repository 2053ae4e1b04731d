//! This file's job is to check a running control plane from outside, as its clients see it.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod app_transfers;
mod audit;
mod browser;
mod codepush;
mod contents;
mod contract;
mod deployment_keys;
mod devices;
mod edges;
mod expo;
mod issuer;
mod keys;
mod logins;
mod matrix;
mod members;
mod people;
mod plans;
mod provider;
mod publishers;
mod queue;
mod reach;
mod releases;
mod resources;
mod rig;
mod second_step;
mod security;
mod signing_keys;
mod tallies;
mod tenants;
mod trust;
mod twins;
mod uploads;
mod watch;
mod web;
mod webhooks;

/// Runs each check on SQLite and on PostgreSQL.
macro_rules! on_both_databases {
    ($($check:ident),+ $(,)?) => {
        mod embedded {
            use crate::rig::{Rig, Shape};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() { super::$check(Rig::new(Shape::Embedded).await).await; })+
        }
        mod scaled {
            use crate::rig::{Rig, Shape};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() { super::$check(Rig::new(Shape::Scaled).await).await; })+
        }
    };
}
pub(crate) use on_both_databases;
