//! The limits of a host: this executable again, with as little in it as can be.

use std::{
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use tokio_util::{
    bytes::Bytes,
    codec::{Framed, LengthDelimitedCodec},
};

use crate::idle::Memory;

/// Asks for a child's part; its name follows.
pub(crate) const ARGUMENT: &str = "--bare-child";

/// Plays the part of a bare child, over the socket that is its standard input.
pub(crate) fn child(part: Option<&str>) -> ExitCode {
    let played = match part {
        Some("byte") => byte(),
        Some("echo") => runtime().and_then(|runtime| runtime.block_on(echo())),
        Some("idle") => runtime().and_then(|runtime| runtime.block_on(idle())),
        _ => return ExitCode::FAILURE,
    };
    played.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// The runtime of a host.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

fn socket() -> io::Result<UnixStream> {
    use std::os::fd::AsFd;
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn byte() -> io::Result<()> {
    socket()?.write_all(&[1])
}

fn stream() -> io::Result<tokio::net::UnixStream> {
    let socket = socket()?;
    socket.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(socket)
}

fn framed(stream: tokio::net::UnixStream) -> Framed<tokio::net::UnixStream, LengthDelimitedCodec> {
    Framed::new(stream, LengthDelimitedCodec::new())
}

async fn echo() -> io::Result<()> {
    let mut frames = framed(stream()?);
    while let Some(frame) = frames.next().await {
        frames.send(frame?.freeze()).await?;
    }
    Ok(())
}

/// Waits until nobody holds the other end.
async fn idle() -> io::Result<()> {
    let mut frames = framed(stream()?);
    frames.send(Bytes::from_static(b"ready")).await?;
    while frames.next().await.is_some() {}
    Ok(())
}

/// Starts this executable in that part.
pub(crate) fn spawn(part: &str) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new("/proc/self/exe")
        .args([ARGUMENT, part])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    Ok((child, ours))
}

/// Spawn to first byte.
pub(crate) fn first_byte() -> io::Result<Duration> {
    let start = Instant::now();
    let (mut child, mut ours) = spawn("byte")?;
    ours.read_exact(&mut [0])?;
    let time = start.elapsed();
    child.wait()?;
    Ok(time)
}

/// A child that sends back what it is sent.
pub(crate) struct Echo {
    child: Child,
    frames: Framed<tokio::net::UnixStream, LengthDelimitedCodec>,
}

impl Echo {
    pub(crate) fn start() -> io::Result<Self> {
        let (child, ours) = spawn("echo")?;
        ours.set_nonblocking(true)?;
        let frames = framed(tokio::net::UnixStream::from_std(ours)?);
        Ok(Self { child, frames })
    }

    /// A framed message there and back.
    pub(crate) async fn round_trip(&mut self, message: Bytes) -> io::Result<Duration> {
        let start = Instant::now();
        self.frames.send(message).await?;
        self.frames.next().await.transpose()?;
        Ok(start.elapsed())
    }

    pub(crate) fn end(mut self) -> io::Result<()> {
        drop(self.frames);
        self.child.wait().map(drop)
    }
}

/// What a process with a runtime and nothing to do keeps in memory.
pub(crate) fn idle_memory() -> io::Result<Memory> {
    let (mut child, mut ours) = spawn("idle")?;
    ours.read_exact(&mut [0; 9])?;
    let memory = Memory::of(child.id())?;
    drop(ours);
    child.wait()?;
    Ok(memory)
}
