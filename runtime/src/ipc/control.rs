//! The control socket: how the command and other processes of the app talk to its broker.
//!
//! `ctl.sock` lies in the app's runtime directory, which only its user can enter; both sides check
//! the other's user as well. A connection starts with the server's [`Hello`]; then each request is
//! followed by one response. Clients, lengths and times are bounded, so that no client can keep
//! the broker from serving others.

mod client;
mod message;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use client::Client;
pub use message::{Hello, Mode, Request, Response, TaskListing, TaskState, Why};
pub(crate) use server::{Handler, Server};

/// The version of the messages.
pub const PROTOCOL: u32 = 1;

/// The control socket in a runtime directory.
pub(crate) fn socket_path(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("ctl.sock")
}
