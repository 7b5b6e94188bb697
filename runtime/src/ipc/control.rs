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

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::process::Uid;
use tokio::net::UnixStream;

pub(crate) use client::Client;
pub use message::{
    AppState, Hello, Mode, Order, Request, Response, RunListing, Seen, TaskListing, TaskState, Why,
};
pub(crate) use server::{Connected, Handler, Server};

/// The version of the messages.
pub const PROTOCOL: u32 = 1;

/// The user at the other end, if it is another one. The kernel keeps who connected, and who
/// listened.
fn stranger(stream: &UnixStream, user: Uid) -> io::Result<Option<Uid>> {
    let peer = Uid::from_raw(stream.peer_cred()?.uid());
    Ok((peer != user).then_some(peer))
}

/// The control socket in a runtime directory.
pub(crate) fn socket_path(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("ctl.sock")
}
