//! Sockets that triggers name by their addresses: `socket("tcp://127.0.0.1:7000")`.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::FileTypeExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, chmodat},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
    },
};
use tokio::net::{TcpListener, UdpSocket};

use super::watch;
use crate::{
    Socket,
    clock::{Bell, Clock},
    monitor::sources::Teller,
};

/// How many connections the kernel keeps that nobody has accepted.
const BACKLOG: i32 = 1024;

/// The file of a socket; it goes with this.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        // Whoever removed it before did the same.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens at an address, and tells what comes.
pub(in crate::monitor) async fn serve(
    address: String,
    bell: Option<Arc<Bell>>,
    clock: Arc<dyn Clock>,
    teller: Teller,
) -> Result<(), String> {
    let bell = bell.ok_or("nothing can be listened to here")?;
    let failed = |error: io::Error| format!("it cannot listen at `{address}`: {error}");
    let (socket, _file) = bound(&address).await.map_err(failed)?;
    let kind = socket.kind();
    let fd = Arc::new(OwnedFd::from(socket));
    teller.listens();
    watch::serve(&fd, kind, &bell, &*clock, |arrival| teller.arrived(arrival)).await;
    Err(failed(io::ErrorKind::Unsupported.into()))
}

async fn bound(address: &str) -> io::Result<(Socket, Option<File>)> {
    if let Some(address) = address.strip_prefix("tcp://") {
        let listener = TcpListener::bind(address).await?;
        return Ok((listener.try_into()?, None));
    }
    if let Some(address) = address.strip_prefix("udp://") {
        let socket = UdpSocket::bind(address).await?;
        return Ok((socket.try_into()?, None));
    }
    let path = address.strip_prefix("unix:").unwrap_or(address);
    let listener = at_path(Path::new(path))?;
    Ok((listener, Some(File(path.into()))))
}

/// A listener that only its user may connect to. What a killed process left is replaced.
fn at_path(path: &Path) -> io::Result<Socket> {
    let address = SocketAddrUnix::new(path)?;
    let open = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
    };
    let listener = open()?;
    match bind(&listener, &address) {
        Err(Errno::ADDRINUSE) if is_left(path, connect(open()?, &address)) => {
            fs::remove_file(path)?;
            bind(&listener, &address)?;
        }
        bound => bound?,
    }
    // Before anybody can connect.
    chmodat(CWD, path, Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
    listen(&listener, BACKLOG)?;
    Socket::try_from(listener)
}

/// Whether nobody listens at a socket's file any more.
fn is_left(path: &Path, connected: rustix::io::Result<()>) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket && connected == Err(Errno::CONNREFUSED)
}
