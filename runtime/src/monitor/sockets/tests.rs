//! Real sockets beside a clock that is turned by hand.

use std::{
    io::Write,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::*;
use crate::clock::ManualClock;

struct Bench {
    clock: Arc<ManualClock>,
    sockets: Sockets,
    told: mpsc::UnboundedReceiver<Change>,
    registration: RegistrationId,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let bell = Bell::start().unwrap();
        let (changes, told) = mpsc::unbounded_channel();
        let sockets = Sockets::new(Some(bell), clock.clone(), changes);
        Self {
            clock,
            sockets,
            told,
            registration: RegistrationId::now(),
        }
    }

    fn terms(&self, id: &str) -> Terms {
        Terms {
            registration: self.registration,
            id: id.to_owned(),
            context: b"context".to_vec(),
            keep_alive: Some(Duration::from_secs(60)),
            listener: None,
        }
    }

    fn own(&mut self, id: &str, socket: impl TryInto<Socket, Error = io::Error>) {
        let socket = socket.try_into().unwrap();
        let held = self.sockets.admit(socket, self.terms(id)).unwrap();
        self.sockets.own(held, true);
    }

    /// What fires next, taken out.
    async fn fired(&mut self) -> (Held, SocketReason) {
        match self.told.recv().await {
            Some(Change::Socket { id, reason }) => (self.sockets.fired(id).unwrap(), reason),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until something was heard that happens now: by then, what happened before was too.
    async fn another_fires(&mut self) {
        let (socket, mut other) = UnixStream::pair().unwrap();
        let mut terms = self.terms("another");
        terms.registration = RegistrationId::now();
        let held = self.sockets.admit(socket.try_into().unwrap(), terms);
        self.sockets.own(held.unwrap(), true);
        other.write_all(b"one").unwrap();
        assert_eq!(self.fired().await.0.terms.id, "another");
    }

    /// Lets whoever is ready go on.
    async fn tells_nothing(&mut self, why: &str) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(self.told.try_recv().is_err(), "{why}");
    }

    async fn arrived(&mut self) -> Held {
        match self.told.recv().await {
            Some(Change::Arrived { listener, arrival }) => {
                let arrival = arrival.take().unwrap();
                assert_eq!(arrival.reason, SocketReason::Accepted);
                self.sockets.arrived(&listener, arrival, None).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_can_be_read_fires_once_and_again_when_it_is_given_back() {
    let mut bench = Bench::new();
    let (socket, mut other) = UnixStream::pair().unwrap();
    bench.own("a", socket);
    other.write_all(b"one").unwrap();
    let (held, reason) = bench.fired().await;
    assert_eq!(reason, SocketReason::Activity);
    assert_eq!(held.terms, bench.terms("a"));
    other.write_all(b"two").unwrap();
    bench.another_fires().await;
    // Nobody read it.
    bench.sockets.own(held, true);
    assert_eq!(bench.fired().await.1, SocketReason::Activity);
}

#[tokio::test]
async fn the_end_of_a_connection_is_told_when_all_was_read() {
    use std::io::Read;

    let mut bench = Bench::new();
    let (socket, mut other) = UnixStream::pair().unwrap();
    bench.own("a", socket);
    other.write_all(b"last words").unwrap();
    drop(other);
    let (mut held, reason) = bench.fired().await;
    assert_eq!(reason, SocketReason::Activity);
    let mut stream = UnixStream::try_from(held.socket.take().unwrap()).unwrap();
    let mut words = [0; 10];
    stream.read_exact(&mut words).unwrap();
    let socket = Socket::try_from(stream).unwrap();
    assert!(is_closed(&socket));
    held.socket = Some(socket);
    bench.sockets.own(held, true);
    assert_eq!(bench.fired().await.1, SocketReason::Closed);
}

#[tokio::test]
async fn a_connection_that_broke_is_closed() {
    let mut bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    bench.own("a", socket);
    // It is reset, and not closed in good order.
    rustix::net::sockopt::set_socket_linger(&other, Some(Duration::ZERO)).unwrap();
    drop(other);
    assert_eq!(bench.fired().await.1, SocketReason::Closed);
}

#[tokio::test]
async fn a_keep_alive_comes_after_its_time_and_begins_anew() {
    let mut bench = Bench::new();
    let (socket, _other) = UnixDatagram::pair().unwrap();
    bench.own("a", socket);
    for _ in 0..2 {
        bench.clock.waiting(1).await;
        bench.clock.advance(Duration::from_secs(59));
        bench.tells_nothing("too early").await;
        bench.clock.advance(Duration::from_secs(1));
        let (held, reason) = bench.fired().await;
        assert_eq!(reason, SocketReason::KeepAlive);
        bench.sockets.own(held, true);
    }
}

#[tokio::test]
async fn a_packet_of_no_length_is_one() {
    let mut bench = Bench::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    bench.own("a", socket);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.send_to(b"", address).unwrap();
    assert_eq!(bench.fired().await.1, SocketReason::Activity);
}

#[tokio::test]
async fn a_listener_has_so_many_connections_open() {
    let mut bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    bench.own("door", UnixListener::bind(&path).unwrap());
    // The kernel's queue is shorter than what comes: each is taken before the next.
    let mut guests = Vec::new();
    let mut inside = Vec::new();
    for number in 1..=MOST_CONNECTIONS {
        guests.push(UnixStream::connect(&path).unwrap());
        let held = bench.arrived().await;
        assert_eq!(held.terms.id, format!("door#{number}"));
        assert_eq!(held.terms.listener.as_deref(), Some("door"));
        assert_eq!(held.terms.context, b"context");
        inside.push(held);
    }
    guests.push(UnixStream::connect(&path).unwrap());
    bench.tells_nothing("it waits outside").await;
    // One that is owned still has its place; one that is closed leaves it.
    let stays = inside.pop().unwrap();
    bench.sockets.own(stays, true);
    bench.tells_nothing("it waits outside").await;
    inside.pop();
    let held = bench.arrived().await;
    assert_eq!(held.terms.id, format!("door#{}", MOST_CONNECTIONS + 1));
}

#[tokio::test]
async fn nobody_watches_what_is_not_awaited_and_what_is_gone_is_closed() {
    use std::io::Read;

    let mut bench = Bench::new();
    let (socket, mut other) = UnixStream::pair().unwrap();
    bench.own("a", socket);
    bench.sockets.watch_those(|_| Some(false));
    other.write_all(b"one").unwrap();
    bench.another_fires().await;
    bench.sockets.watch_those(|_| Some(true));
    let (held, _) = bench.fired().await;
    assert_eq!(held.terms.id, "a");
    bench.sockets.own(held, false);
    bench.sockets.watch_those(|_| None);
    assert!(!bench.sockets.has("a"));
    // What it had not read is told as a reset.
    let end = other.read(&mut [0; 1]);
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}
