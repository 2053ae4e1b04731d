//! This file's job is to build again when a migration was added: the macro that embeds them does not say what it read.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
