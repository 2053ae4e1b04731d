//! This file's job is to hold secrets so that they reach no log and no message.

pub use secrecy::{ExposeSecret, SecretString as Secret};
