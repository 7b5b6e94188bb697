//! Descriptors that travel with the bytes of a connection (`SCM_RIGHTS`,
//! <https://man7.org/linux/man-pages/man7/unix.7.html>).
//!
//! One goes with the first byte that is sent after it was put here, so it is there when the frame is
//! that was sent next. They arrive in their order.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// How many may wait to be taken: more than two sides that understand each other ever need.
const MOST: usize = 64;

/// How much is read at once: what is read into is cleared before.
const AT_ONCE: usize = 64 << 10;

/// The reading half.
#[derive(Debug)]
pub(super) struct Reading {
    half: OwnedReadHalf,
    arrived: VecDeque<OwnedFd>,
}

/// The writing half.
#[derive(Debug)]
pub(super) struct Writing {
    half: OwnedWriteHalf,
    leaving: VecDeque<OwnedFd>,
}

impl Reading {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self {
            half,
            arrived: VecDeque::new(),
        }
    }

    /// The first that nobody took.
    pub(super) fn take(&mut self) -> Option<OwnedFd> {
        self.arrived.pop_front()
    }
}

impl Writing {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        Self {
            half,
            leaving: VecDeque::new(),
        }
    }

    /// Goes with what is sent next.
    pub(super) fn put(&mut self, fd: OwnedFd) {
        self.leaving.push_back(fd);
    }
}

impl AsyncRead for Reading {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stream: &UnixStream = this.half.as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            let length = buffer.remaining().min(AT_ONCE);
            let free = buffer.initialize_unfilled_to(length);
            let received = stream.try_io(Interest::READABLE, || {
                receive(stream, free, &mut this.arrived)
            });
            match received {
                Ok(length) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Writing {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(first) = this.leaving.front() else {
            return Pin::new(&mut this.half).poll_write(context, bytes);
        };
        // Each needs a byte to go with.
        let bytes = if this.leaving.len() > 1 {
            &bytes[..bytes.len().min(1)]
        } else {
            bytes
        };
        let stream: &UnixStream = this.half.as_ref();
        let sent = loop {
            ready!(stream.poll_write_ready(context))?;
            match stream.try_io(Interest::WRITABLE, || send(stream, bytes, first)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => break sent,
            }
        };
        if sent.is_ok() {
            this.leaving.pop_front();
        }
        Poll::Ready(sent)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().half).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().half).poll_shutdown(context)
    }
}

fn send(stream: impl AsFd, bytes: &[u8], fd: &OwnedFd) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    let fds = [fd.as_fd()];
    if !with.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    #[cfg(target_os = "linux")]
    let flags = SendFlags::NOSIGNAL;
    #[cfg(not(target_os = "linux"))]
    let flags = SendFlags::empty();
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut with, flags)?)
}

fn receive(
    stream: impl AsFd,
    bytes: &mut [u8],
    arrived: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    // What a host starts shall not have it.
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    let received = recvmsg(stream, &mut [IoSliceMut::new(bytes)], &mut with, flags)?;
    for message in with.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            arrived.extend(fds);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) || arrived.len() > MOST {
        let text = "more descriptors came than are taken, or this process has too many open";
        return Err(io::Error::other(text));
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write},
    };

    use super::*;
    use crate::ipc::frame::{Frame, Frames};

    /// The end of a pipe that says this.
    fn says(word: &str) -> OwnedFd {
        let (read, write) = rustix::pipe::pipe().expect("a pipe");
        File::from(write).write_all(word.as_bytes()).expect("room");
        read
    }

    fn heard(fd: OwnedFd) -> String {
        let mut heard = String::new();
        File::from(fd).read_to_string(&mut heard).expect("text");
        heard
    }

    fn frame(word: &str) -> Frame {
        Frame::of(&word.to_owned()).expect("a frame")
    }

    #[tokio::test]
    async fn each_comes_with_its_message_and_in_order() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let (mut sender, _receiver) = Frames::<String, String>::new(ours).split();
        let mut theirs = Frames::<String, String>::new(theirs).split().1;
        let long = "x".repeat(1 << 20);
        let words = ["one", &long, "three", "four"];
        let sending = tokio::spawn(async move {
            // More than the socket takes: the next descriptor waits behind it.
            assert!(sender.try_send(frame("before")));
            assert!(sender.try_send(frame(&"x".repeat(1 << 20))));
            for word in ["one", &"x".repeat(1 << 20), "three"] {
                let fd = says(&word[..1]);
                sender.send_with(frame(word), fd).await.expect("sent");
            }
            sender.send(&"four".to_owned()).await.expect("sent");
        });
        assert_eq!(
            theirs.receive().await.expect("heard").as_deref(),
            Some("before")
        );
        assert_eq!(theirs.receive().await.expect("heard"), Some(long.clone()));
        for word in &words[..3] {
            assert_eq!(
                theirs.receive().await.expect("heard").as_deref(),
                Some(*word)
            );
            let fd = theirs.take_descriptor().expect("it came along");
            assert_eq!(heard(fd), word[..1]);
        }
        assert_eq!(
            theirs.receive().await.expect("heard").as_deref(),
            Some("four")
        );
        assert!(theirs.take_descriptor().is_none());
        sending.await.expect("no panic");
    }

    #[tokio::test]
    async fn what_a_program_starts_does_not_have_it() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let (mut sender, _receiver) = Frames::<String, String>::new(ours).split();
        let mut theirs = Frames::<String, String>::new(theirs).split().1;
        let sent = sender.send_with(frame("one"), says("x")).await;
        sent.expect("sent");
        theirs.receive().await.expect("heard");
        let fd = theirs.take_descriptor().expect("it came along");
        let flags = rustix::io::fcntl_getfd(&fd).expect("told");
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[tokio::test]
    async fn descriptors_that_nobody_takes_end_the_connection() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let (mut sender, _receiver) = Frames::<String, String>::new(ours).split();
        let mut theirs = Frames::<String, String>::new(theirs).split().1;
        for number in 0..=MOST {
            let sent = sender.send_with(frame("more"), says("x")).await;
            sent.expect("sent");
            let received = theirs.receive().await;
            assert_eq!(received.is_err(), number == MOST, "{number}: {received:?}");
        }
    }
}
