//! This file's job is to name the parts of the crate.
