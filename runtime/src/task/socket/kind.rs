//! What a socket is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a [`Socket`](super::Socket) is.
///
/// Windows: [`SocketActivityKind`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.socketactivitykind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketKind {
    /// A connection.
    TcpStream,
    /// What accepts connections.
    TcpListener,
    /// For packets.
    Udp,
    /// A connection on this machine.
    UnixStream,
    /// What accepts connections on this machine.
    UnixListener,
    /// For packets on this machine.
    UnixDatagram,
}

impl SocketKind {
    /// Whether it accepts connections.
    #[must_use]
    pub const fn is_listener(self) -> bool {
        matches!(self, Self::TcpListener | Self::UnixListener)
    }

    /// Whether it has an end, as a connection has.
    pub(crate) const fn is_stream(self) -> bool {
        matches!(self, Self::TcpStream | Self::UnixStream)
    }

    /// What a listener of this kind accepts.
    pub(crate) const fn accepted(self) -> Self {
        match self {
            Self::TcpListener => Self::TcpStream,
            Self::UnixListener => Self::UnixStream,
            other => other,
        }
    }

    /// Asks the kernel.
    #[cfg(target_os = "linux")]
    pub(super) fn of(fd: &std::os::fd::OwnedFd) -> std::io::Result<Self> {
        use rustix::net::{
            AddressFamily, SocketType,
            sockopt::{socket_acceptconn, socket_domain, socket_type},
        };

        let family = socket_domain(fd)?;
        let is_unix = family == AddressFamily::UNIX;
        let is_ip = family == AddressFamily::INET || family == AddressFamily::INET6;
        let listens = socket_acceptconn(fd)?;
        let kind = match socket_type(fd)? {
            SocketType::STREAM if is_ip && listens => Self::TcpListener,
            SocketType::STREAM if is_ip => Self::TcpStream,
            SocketType::STREAM if is_unix && listens => Self::UnixListener,
            SocketType::STREAM if is_unix => Self::UnixStream,
            SocketType::DGRAM if is_ip => Self::Udp,
            SocketType::DGRAM if is_unix => Self::UnixDatagram,
            _ => return Err(std::io::ErrorKind::Unsupported.into()),
        };
        Ok(kind)
    }
}

impl fmt::Display for SocketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TcpStream => "TCP stream",
            Self::TcpListener => "TCP listener",
            Self::Udp => "UDP socket",
            Self::UnixStream => "Unix stream",
            Self::UnixListener => "Unix listener",
            Self::UnixDatagram => "Unix datagram socket",
        })
    }
}
