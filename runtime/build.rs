#![allow(clippy::print_stdout, reason = "cargo reads it")]
//! Required by `links`.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
