//! This file's job is to name the parts of `aloft`, the command line of the platform.
//!
//! One file per verb. A verb turns its arguments into calls and returns a [`report::Report`]; `main` prints it as text or as JSON.

pub mod arguments;
pub mod channel_address;
pub mod connection;
pub mod error;
pub mod exit;
pub mod guidance;
pub mod moment;
pub mod names;
pub mod paging;
pub mod percent;
pub mod platform;
pub mod progress;
pub mod report;
pub mod retry;
pub mod settings;
pub mod source;
pub mod table;
pub mod transfer;
pub mod view;
pub mod watch;

pub mod activity;
pub mod app;
pub mod app_transfer;
pub mod audit;
pub mod base;
pub mod binary;
pub mod bundles;
pub mod channel;
pub mod codepush_signature;
pub mod completions;
pub mod credential;
pub mod delta;
pub mod deployment_key;
pub mod device;
pub mod diff;
pub mod downloads;
pub mod explain;
pub mod expo;
pub mod hermesc;
pub mod key;
pub mod login;
pub mod logout;
pub mod migrate;
pub mod operator;
pub mod pin;
pub mod promote;
pub mod publisher;
pub mod queue;
pub mod reach;
pub mod release;
pub mod releases;
pub mod renumber;
pub mod rollback;
pub mod rollout;
pub mod served;
pub mod status;
pub mod upload;
pub mod usage;
pub mod webhook;
pub mod whoami;
pub mod workflow;

pub use error::Error;
