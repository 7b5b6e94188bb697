//! Sockets that are watched while nobody works on them.

mod activity;
mod hand;
mod kind;

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

pub use activity::{SocketActivity, SocketDetails, SocketReason};
pub(crate) use hand::{GivenBack, Hand, Parcel};
pub use kind::SocketKind;

/// An open socket, on its way between the app, its broker and a task.
///
/// It is made of any socket of the standard library or of tokio, and turned into one again, by
/// [`TryFrom`] and [`TryInto`]: into one of the standard library, whose calls block, or of tokio,
/// where they do not. Dropping it closes it.
///
/// ```
/// use std::net::{TcpListener, UdpSocket};
/// use bgtask::{Socket, SocketKind};
///
/// let socket = Socket::try_from(TcpListener::bind("127.0.0.1:0")?)?;
/// assert_eq!(socket.kind(), SocketKind::TcpListener);
/// assert!(UdpSocket::try_from(socket).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Windows: [`SocketActivityInformation`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.socketactivityinformation).
pub struct Socket {
    fd: OwnedFd,
    kind: SocketKind,
}

impl Socket {
    /// One whose kind is known.
    pub(crate) const fn new(fd: OwnedFd, kind: SocketKind) -> Self {
        Self { fd, kind }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> SocketKind {
        self.kind
    }

    fn into_kind(self, wanted: SocketKind) -> io::Result<OwnedFd> {
        if self.kind == wanted {
            return Ok(self.fd);
        }
        let text = format!("it is a {}, and not a {wanted}", self.kind);
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.kind).finish()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.fd
    }
}

/// Looks what it is.
#[cfg(target_os = "linux")]
impl TryFrom<OwnedFd> for Socket {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        let kind = SocketKind::of(&fd)?;
        Ok(Self { fd, kind })
    }
}

macro_rules! sockets {
    ($($kind:ident: $std:ty, $tokio:ty;)+) => {$(
        impl TryFrom<$std> for Socket {
            type Error = io::Error;

            fn try_from(socket: $std) -> io::Result<Self> {
                Ok(Self::new(socket.into(), SocketKind::$kind))
            }
        }

        impl TryFrom<$tokio> for Socket {
            type Error = io::Error;

            fn try_from(socket: $tokio) -> io::Result<Self> {
                Self::try_from(socket.into_std()?)
            }
        }

        impl TryFrom<Socket> for $std {
            type Error = io::Error;

            fn try_from(socket: Socket) -> io::Result<Self> {
                let socket = Self::from(socket.into_kind(SocketKind::$kind)?);
                socket.set_nonblocking(false)?;
                Ok(socket)
            }
        }

        impl TryFrom<Socket> for $tokio {
            type Error = io::Error;

            fn try_from(socket: Socket) -> io::Result<Self> {
                let socket = <$std>::from(socket.into_kind(SocketKind::$kind)?);
                socket.set_nonblocking(true)?;
                Self::from_std(socket)
            }
        }
    )+};
}

sockets! {
    TcpStream: std::net::TcpStream, tokio::net::TcpStream;
    TcpListener: std::net::TcpListener, tokio::net::TcpListener;
    Udp: std::net::UdpSocket, tokio::net::UdpSocket;
    UnixStream: std::os::unix::net::UnixStream, tokio::net::UnixStream;
    UnixListener: std::os::unix::net::UnixListener, tokio::net::UnixListener;
    UnixDatagram: std::os::unix::net::UnixDatagram, tokio::net::UnixDatagram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_descriptor_tells_what_it_is() {
        use std::{net, os::unix};

        let tcp = net::TcpListener::bind("[::1]:0").unwrap();
        let there = net::TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let udp = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let unix = unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        let (stream, _other) = unix::net::UnixStream::pair().unwrap();
        let (datagram, _other) = unix::net::UnixDatagram::pair().unwrap();
        let all: [(OwnedFd, SocketKind); 6] = [
            (tcp.into(), SocketKind::TcpListener),
            (there.into(), SocketKind::TcpStream),
            (udp.into(), SocketKind::Udp),
            (unix.into(), SocketKind::UnixListener),
            (stream.into(), SocketKind::UnixStream),
            (datagram.into(), SocketKind::UnixDatagram),
        ];
        for (fd, kind) in all {
            assert_eq!(Socket::try_from(fd).unwrap().kind(), kind);
        }
        let file = tempfile::tempfile().unwrap();
        assert!(Socket::try_from(OwnedFd::from(file)).is_err());
    }

    #[tokio::test]
    async fn one_of_the_standard_library_blocks_and_one_of_tokio_does_not() {
        use rustix::fs::{OFlags, fcntl_getfl};

        let blocks =
            |fd: BorrowedFd<'_>| !fcntl_getfl(fd).expect("told").contains(OFlags::NONBLOCK);
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let socket = Socket::try_from(stream).unwrap();
        let stream = tokio::net::UnixStream::try_from(socket).unwrap();
        assert!(!blocks(stream.as_fd()));
        let socket = Socket::try_from(stream).unwrap();
        let stream = std::os::unix::net::UnixStream::try_from(socket).unwrap();
        assert!(blocks(stream.as_fd()));
        let error = tokio::net::TcpStream::try_from(Socket::try_from(stream).unwrap()).unwrap_err();
        let text = "it is a Unix stream, and not a TCP stream";
        assert_eq!(error.to_string(), text);
    }
}
