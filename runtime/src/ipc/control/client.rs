//! The other side: the command, or another process of the app.

use std::{io, path::Path, time::Duration};

use rustix::process::{Uid, geteuid};
use tokio::{net::UnixStream, time::timeout};

use super::{Hello, PROTOCOL, Request, Response, message::Reply, socket_path, stranger};
use crate::{
    Code, Error, Result,
    ipc::frame::{FrameError, Frames},
};

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a running broker.
#[derive(Debug)]
pub(crate) struct Client {
    hello: Hello,
    frames: Frames<Reply, Request>,
}

impl Client {
    /// Connects to the broker whose socket is in `runtime_dir`. `None`: no broker runs.
    ///
    /// # Errors
    ///
    /// [`Code::Control`]: the socket is another user's, the other side does not speak the
    /// protocol, speaks another version of it, or does not answer.
    pub(crate) async fn connect(runtime_dir: &Path) -> Result<Option<Self>> {
        Self::connect_to(runtime_dir, geteuid()).await
    }

    /// As [`connect`](Self::connect), to a broker of this user.
    pub(super) async fn connect_to(runtime_dir: &Path, user: Uid) -> Result<Option<Self>> {
        let path = socket_path(runtime_dir);
        let stream = match UnixStream::connect(&path).await {
            Ok(stream) => stream,
            // A broker that was killed leaves its socket behind.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(lost(error)),
        };
        if let Some(other) = stranger(&stream, user).map_err(lost)? {
            return Err(Error::new(
                Code::Control,
                format!("the control socket is served by user {other}"),
            )
            .remedy("run as the user of the app"));
        }
        let mut frames = Frames::<Reply, Request>::new(stream);
        let hello = match receive(&mut frames).await {
            Ok(Reply::Hello(hello)) => hello,
            Ok(Reply::Answer(_)) => return Err(lost("it did not say hello")),
            Err(error) => return Err(error),
        };
        if hello.protocol != PROTOCOL {
            return Err(Error::new(
                Code::Control,
                format!(
                    "the broker speaks version {} of the protocol, not {PROTOCOL}",
                    hello.protocol
                ),
            )
            .remedy("use the `bgtask` command of the app's version of bgtask"));
        }
        Ok(Some(Self { hello, frames }))
    }

    /// Who serves this connection.
    pub(crate) const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Asks, and gives the answer or the error in it.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Response> {
        match timeout(PATIENCE, self.frames.send(request)).await {
            Ok(sent) => sent.map_err(lost)?,
            Err(_) => return Err(slow()),
        }
        match receive(&mut self.frames).await? {
            Reply::Answer(response) => response.into_result(),
            Reply::Hello(_) => Err(lost("it said hello again")),
        }
    }
}

async fn receive(frames: &mut Frames<Reply, Request>) -> Result<Reply> {
    match timeout(PATIENCE, frames.receive()).await {
        Ok(Ok(Some(reply))) => Ok(reply),
        Ok(Ok(None)) => Err(lost(FrameError::Io(io::ErrorKind::UnexpectedEof.into()))),
        Ok(Err(error)) => Err(lost(error)),
        Err(_) => Err(slow()),
    }
}

fn lost(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Code::Control, "the running broker cannot be talked to").source(error)
}

fn slow() -> Error {
    Error::new(
        Code::Control,
        format!(
            "the running broker did not answer in {} s",
            PATIENCE.as_secs()
        ),
    )
}
