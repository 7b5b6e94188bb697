//! The kernel's links and routes. What the kernel sends is only a bell: it says nothing when
//! routes vanish with their link, so each bell reads everything again, and an overrun is one more
//! bell. <https://man7.org/linux/man-pages/man7/rtnetlink.7.html>

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind,
        netlink::SocketAddrNetlink,
        recv, sendto, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use tokio::sync::{Notify, watch};

use super::{
    Reporter,
    routes::{Routes, Seen},
    state::{Ways, Word},
};
use crate::{
    clock::{Bell, Keep, Watch},
    monitor::{Reading, demand::Needs},
};

/// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// The kernel fills a dump's datagrams up to this size.
const DATAGRAM: usize = 32 * 1024;

/// More than any routing table of a machine that runs an app; a larger one is unknown.
const LARGEST_DUMP: usize = 64 << 20;

/// The kernel marks a dump during which something changed.
const ATTEMPTS: usize = 4;

/// The kernel answers within the call that asks; this only bounds what cannot happen.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reports whether there is a usable default route, now and whenever that changes, and all their
/// ways if somebody needs those.
pub(super) fn watch(
    bell: &Bell,
    reporter: Reporter,
    mut needs: watch::Receiver<Needs>,
    ways: watch::Sender<Word<Ways>>,
) -> impl Future<Output = ()> + Send + use<> {
    let rung = Arc::new(Notify::new());
    // Subscribed first, read then: what happens between rings.
    let subscribed = subscribe(bell, &rung);
    async move {
        let _watch = match subscribed {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "the kernel's routes are not watched");
                reporter.internet(Reading::Unknown);
                ways.send_replace(Word::Nothing);
                return;
            }
        };
        loop {
            let all = needs.borrow_and_update().network_state();
            let routes = read(all).inspect_err(|error| {
                tracing::warn!(%error, "the kernel's routes cannot be read");
            });
            reporter.internet(match &routes {
                Ok(routes) => Reading::Guess(routes.usable()),
                Err(_) => Reading::Unknown,
            });
            ways.send_replace(match routes {
                _ if !all => Word::Unheard,
                Ok(routes) => Word::Said(routes.into_ways()),
                Err(_) => Word::Nothing,
            });
            tokio::select! {
                () = rung.notified() => {}
                () = super::needed(&mut needs, |needs| needs.network_state() != all) => {}
            }
        }
    }
}

fn subscribe(bell: &Bell, rung: &Arc<Notify>) -> Result<Watch, Errno> {
    let socket = open(SocketFlags::NONBLOCK)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    let rung = Arc::clone(rung);
    Ok(bell.watch(Arc::new(socket), move |socket| {
        let keep = drain(socket);
        rung.notify_one();
        keep
    }))
}

fn open(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    // NETLINK_ROUTE is protocol 0, the default.
    let flags = SocketFlags::CLOEXEC | flags;
    socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)
}

/// Throws away what is there; its content does not matter.
fn drain(socket: BorrowedFd<'_>) -> Keep {
    loop {
        match recv(socket, &mut [0; 16], RecvFlags::TRUNC) {
            // Overrun: datagrams were lost, and reading again makes up for them.
            Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
            Err(Errno::AGAIN) => return Keep::Watching,
            Err(error) => {
                tracing::warn!(%error, "the kernel's routes are no longer watched");
                return Keep::No;
            }
        }
    }
}

/// Reads links and routes, up to the first usable one or `all`: about a tenth of a millisecond, so
/// it is done in place.
fn read(all: bool) -> Result<Routes, Errno> {
    for _ in 0..ATTEMPTS {
        let mut routes = Routes::default();
        // Links first: a route is judged by the link it goes out of.
        for request in Routes::REQUESTS {
            dump(&request, &mut routes, all)?;
        }
        if !routes.disturbed() {
            return Ok(routes);
        }
    }
    Err(Errno::AGAIN)
}

/// Feeds one dump to `routes`.
fn dump(request: &[u8], routes: &mut Routes, all: bool) -> Result<(), Errno> {
    let socket = open(SocketFlags::empty())?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(socket.as_fd(), request, SendFlags::empty(), &kernel)?;
    let mut buffer = vec![0; DATAGRAM];
    let mut total = 0;
    while total <= LARGEST_DUMP {
        let (_, length) = match recv(&socket, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => continue,
            received => received?,
        };
        total += length.max(1);
        match routes.take(&buffer[..length.min(DATAGRAM)]) {
            Seen::More if all || !routes.usable() => {}
            // One usable route is an answer: the rest need not be read.
            Seen::More | Seen::Done => return Ok(()),
            Seen::Refused => return Err(Errno::OPNOTSUPP),
        }
    }
    Err(Errno::OVERFLOW)
}
