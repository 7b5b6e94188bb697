//! What a task is told of its socket.

use std::{error::Error as StdError, fmt, io, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{GivenBack, Hand, Socket};
use crate::task::content;

/// Why a task with `socket` or `control_channel` was started.
///
/// Windows: [`SocketActivityTriggerReason`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.socketactivitytriggerreason).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketReason {
    /// There is something to read.
    Activity,
    /// A listener accepted this connection.
    Accepted,
    /// Nothing came for the time of its keep-alive.
    KeepAlive,
    /// The other side closed the connection, or it broke.
    Closed,
}

/// What an activation tells of the socket that fired, in [`Details`](crate::Details). The socket
/// itself is in the process only: it is lost with the app, and the activation then fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketDetails {
    /// Its id.
    pub id: String,
    /// Why it fired.
    pub reason: SocketReason,
    /// What was handed over with it; of a connection that was accepted, with its listener.
    #[serde(default, with = "content")]
    pub context: Vec<u8>,
    /// The time without activity after which it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<Duration>,
    /// The id of the listener that accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Which firing of it this is: another one of the same id is not meant.
    pub(crate) firing: Uuid,
}

/// A socket that fired, for a task with `socket` or `control_channel`. While the task has it, nobody
/// else reads it; [`give_back`](Self::give_back) has it watched again, and without that it is
/// closed when the task drops it.
///
/// ```
/// use bgtask::{SocketActivity, SocketReason, prelude::*};
/// use tokio::{io::AsyncWriteExt, net::TcpStream};
///
/// /// Says back what it hears.
/// #[background_task(trigger = socket("tcp://127.0.0.1:7000"))]
/// async fn echo(mut activity: SocketActivity) -> std::io::Result<()> {
///     let mut stream: TcpStream = activity.take()?;
///     if activity.reason == SocketReason::Closed {
///         return Ok(());
///     }
///     let mut heard = [0; 1024];
///     while let Ok(length @ 1..) = stream.try_read(&mut heard) {
///         stream.write_all(&heard[..length]).await?;
///     }
///     activity.give_back(stream)
/// }
/// # fn main() {}
/// ```
///
/// Windows: [`SocketActivityTriggerDetails`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.socketactivitytriggerdetails).
pub struct SocketActivity {
    /// Why the task was started.
    pub reason: SocketReason,
    /// What was handed over with the socket, and what is kept with it when it is given back: at most
    /// 4 KiB.
    pub context: Vec<u8>,
    /// The time without activity after which it fires again once it is given back.
    pub keep_alive: Option<Duration>,
    id: String,
    listener: Option<String>,
    socket: Option<Socket>,
    hand: Hand,
}

impl SocketActivity {
    /// The most bytes of [`context`](Self::context).
    pub(crate) const MOST_CONTEXT: usize = 4 * 1024;

    pub(crate) fn new(details: SocketDetails, hand: Hand) -> Option<Self> {
        let socket = hand.take()?;
        Some(Self {
            reason: details.reason,
            context: details.context,
            keep_alive: details.keep_alive,
            id: details.id,
            listener: details.listener,
            socket: Some(socket),
            hand,
        })
    }

    /// The id that the socket was handed over with; of a connection that was accepted, that of its
    /// listener and a number, `web#7`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id of the listener that accepted the connection: that of a listener that was handed over,
    /// or the address that the trigger names.
    #[must_use]
    pub fn listener(&self) -> Option<&str> {
        self.listener.as_deref()
    }

    /// Takes the socket, as one of the standard library or of tokio, or as a [`Socket`].
    ///
    /// # Errors
    /// It is of another kind, and closed now, or it was taken before.
    pub fn take<S>(&mut self) -> io::Result<S>
    where
        S: TryFrom<Socket>,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let socket = self.socket.take();
        let socket = socket.ok_or_else(|| io::Error::other("the socket was taken before"))?;
        S::try_from(socket).map_err(io::Error::other)
    }

    /// Has a socket watched again, from the end of this run: this one, or another one in its place,
    /// such as a new connection to the same server. It keeps its [`id`](Self::id), and has
    /// [`context`](Self::context) and [`keep_alive`](Self::keep_alive) as they are now. What can be
    /// read already fires it at once.
    ///
    /// One that the other side had closed, and that is not another one now, is closed.
    ///
    /// Windows: `TransferOwnership` ([page](https://learn.microsoft.com/uwp/api/windows.networking.sockets.streamsocket.transferownership)),
    /// which a task calls for the same.
    ///
    /// # Errors
    /// The context is longer than 4 KiB, or tokio does not let go of the socket; it is closed then.
    pub fn give_back<S>(self, socket: S) -> io::Result<()>
    where
        S: TryInto<Socket>,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let socket = socket.try_into().map_err(io::Error::other)?;
        if self.context.len() > Self::MOST_CONTEXT {
            let text = format!(
                "a context has {} bytes at most, and not {}",
                Self::MOST_CONTEXT,
                self.context.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.hand.give_back(GivenBack {
            socket,
            context: self.context,
            keep_alive: self.keep_alive,
        });
        Ok(())
    }
}

impl fmt::Debug for SocketActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketActivity")
            .field("reason", &self.reason)
            .field("id", &self.id)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
