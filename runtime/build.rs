//! Nothing to build: cargo asks for this file because of the `links` key in `Cargo.toml`.
#![allow(clippy::print_stdout, reason = "cargo reads it")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
