//! What the kernel tells of devices, also where no udev runs. Everybody may send to the socket; the
//! kernel alone is believed (<https://man7.org/linux/man-pages/man7/netlink.7.html>).

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind,
        netlink::{self, SocketAddrNetlink},
        recvfrom, socket_with,
    },
};

/// What the kernel tells; others than udev hear it in no other group.
const GROUP: u32 = 1;

/// The kernel's messages are a quarter of it.
pub(super) const LARGEST: usize = 8192;

/// A socket that hears the kernel from now on, and never blocks.
pub(super) fn open() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let protocol = Some(netlink::KOBJECT_UEVENT);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUP))?;
    Ok(socket)
}

/// The length of the kernel's next message.
///
/// # Errors
///
/// `AGAIN`: there is none now. `NOBUFS`: what was told is lost.
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        let (length, sender) = match recvfrom(socket, &mut *buffer, RecvFlags::TRUNC) {
            Ok((_, length, sender)) => (length, sender),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        if length <= buffer.len() && sender.is_some_and(|sender| sender.pid() == 0) {
            return Ok(length);
        }
    }
}
