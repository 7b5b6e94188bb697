//! How processes of one app talk: frames on a Unix socket, and the messages in them.

pub(crate) mod control;
mod descriptors;
pub(crate) mod frame;
pub(crate) mod host_message;
