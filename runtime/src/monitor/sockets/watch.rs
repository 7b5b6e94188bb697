//! Waiting for a socket without reading from it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SocketFlags, accept_with, recv},
};
use tokio::sync::{Notify, Semaphore};

use super::{Arrival, MOST_CONNECTIONS};
use crate::{
    Socket, SocketKind, SocketReason,
    clock::{Bell, Clock, Keep},
    task::Parcel,
};

/// How long a socket is left alone that is said to be readable and is not: so that nothing spins.
const SPURIOUS: Duration = Duration::from_millis(100);

/// The shortest keep-alive: a run takes time, too.
const SHORTEST: Duration = Duration::from_secs(1);

/// How soon a listener that cannot accept is tried again: descriptors or memory may have run out.
const AGAIN: Duration = Duration::from_secs(1);

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Something,
    Nothing,
    End,
}

/// Waits until something happens to a socket.
pub(super) async fn next(
    fd: &Arc<OwnedFd>,
    kind: SocketKind,
    keep_alive: Option<Duration>,
    bell: &Bell,
    clock: &dyn Clock,
) -> SocketReason {
    let quiet = async {
        match keep_alive {
            Some(length) => clock.awake(length.max(SHORTEST)).await,
            None => std::future::pending().await,
        }
    };
    let active = async {
        loop {
            ready(bell, fd).await;
            match look(fd, kind) {
                Look::Something => return SocketReason::Activity,
                Look::End => return SocketReason::Closed,
                Look::Nothing => clock.awake(SPURIOUS).await,
            }
        }
    };
    tokio::select! {
        biased;
        reason = active => reason,
        () = quiet => SocketReason::KeepAlive,
    }
}

/// Accepts connections, or lends a socket for packets whenever there is one; until it is dropped.
pub(super) async fn serve(
    fd: &Arc<OwnedFd>,
    kind: SocketKind,
    bell: &Bell,
    clock: &dyn Clock,
    tell: impl Fn(Parcel<Arrival>),
) {
    let lent = !kind.is_listener();
    let reason = match lent {
        true => SocketReason::Activity,
        false => SocketReason::Accepted,
    };
    let places = if lent { 1 } else { MOST_CONNECTIONS };
    let places = Arc::new(Semaphore::new(places));
    // Only an error of this call: nothing is accepted before the first one is awaited.
    if let Err(error) = rustix::io::ioctl_fionbio(fd, true) {
        return tracing::error!(%error, "a socket cannot be listened to");
    }
    let mut told = false;
    // Nobody closes it.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        if lent && std::mem::take(&mut told) && look(fd, kind) != Look::Nothing {
            // Whoever was told did not read it, or not all.
            clock.awake(SPURIOUS).await;
        }
        let come = match lent {
            true => lend(fd, kind),
            false => accept(fd),
        };
        match come {
            Ok(Some(fd)) => {
                told = true;
                tell(Parcel::new(Arrival {
                    socket: Socket::new(fd, kind.accepted()),
                    reason,
                    place,
                    lent,
                }));
            }
            Ok(None) => {
                ready(bell, fd).await;
                if lent && look(fd, kind) == Look::Nothing {
                    clock.awake(SPURIOUS).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, retry = ?AGAIN, "a connection is not accepted");
                clock.awake(AGAIN).await;
            }
        }
    }
}

fn accept(fd: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    match accept_with(fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        Ok(accepted) => Ok(Some(accepted)),
        // The last two: who called has hung up.
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn lend(fd: &OwnedFd, kind: SocketKind) -> io::Result<Option<OwnedFd>> {
    match look(fd, kind) {
        Look::Nothing => Ok(None),
        Look::Something | Look::End => fd.try_clone().map(Some),
    }
}

/// Waits until there is something to read, or the end of a connection.
async fn ready(bell: &Bell, fd: &Arc<OwnedFd>) {
    let rung = Arc::new(Notify::new());
    let _watch = bell.watch(Arc::clone(fd), {
        let rung = Arc::clone(&rung);
        move |_| {
            rung.notify_one();
            // Or it would ring until somebody has read.
            Keep::Done
        }
    });
    rung.notified().await;
}

fn look(fd: impl AsFd, kind: SocketKind) -> Look {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match recv(fd, &mut [0; 1], flags) {
        Ok((_, 0)) if kind.is_stream() => Look::End,
        Ok(_) => Look::Something,
        Err(Errno::AGAIN | Errno::INTR) => Look::Nothing,
        // Asking took the error away: for packets, others may follow.
        Err(_) if !kind.is_stream() => Look::Something,
        Err(_) => Look::End,
    }
}

/// Whether nothing comes any more.
pub(crate) fn is_closed(socket: &Socket) -> bool {
    let kind = socket.kind();
    kind.is_stream() && look(socket, kind) == Look::End
}
