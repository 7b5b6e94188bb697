//! Sockets that the app hands over, to be watched while nobody works on them.

use std::{error::Error as StdError, fmt, future::IntoFuture, pin::Pin, time::Duration};

use super::{App, Registration, TaskHandle};
use crate::{
    Code, Error, Result, Socket, TaskType,
    broker::{Command, Transfer},
};

type Boxed = Box<dyn StdError + Send + Sync>;

impl<F: TaskType> TaskHandle<F> {
    /// Hands a socket over to a task with `socket` or `control_channel`: a connection, a listener,
    /// or a socket for packets, of the standard library or of tokio. From then on the app watches it
    /// without reading, and the task starts when something happens to it; of a listener, with each
    /// connection that it accepts. [The guide](crate::guide::sockets) tells what becomes of it.
    ///
    /// `id` is the app's own name for it, of 256 bytes at most; with `control_channel` it is that of
    /// the channel. What is returned is to be awaited, and takes a
    /// [context](SocketTransfer::context) and a [keep-alive](SocketTransfer::keep_alive) before that.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use bgtask::{SocketActivity, prelude::*};
    /// use tokio::net::TcpStream;
    ///
    /// #[background_task(trigger = socket)]
    /// async fn receive(mut activity: SocketActivity) -> std::io::Result<()> {
    ///     let stream: TcpStream = activity.take()?;
    ///     // … read what is there, or greet the server if the reason is `KeepAlive` …
    ///     activity.give_back(stream)
    /// }
    ///
    /// #[bgtask::main]
    /// async fn main(app: App) -> Result<(), Box<dyn std::error::Error>> {
    ///     let server = TcpStream::connect("chat.example.com:7000").await?;
    ///     let transfer = app.task::<receive>().transfer("chat", server);
    ///     transfer.context("alice").keep_alive(Duration::from_secs(15 * 60)).await?;
    ///     Ok(app.run_until_shutdown().await?)
    /// }
    /// ```
    ///
    /// Windows: [`StreamSocket.TransferOwnership`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.streamsocket.transferownership),
    /// after [`EnableTransferOwnership`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.streamsocket.enabletransferownership)
    /// with the task's id.
    pub fn transfer<S>(&self, id: impl Into<String>, socket: S) -> SocketTransfer
    where
        S: TryInto<Socket>,
        S::Error: Into<Boxed>,
    {
        SocketTransfer::new(&self.app, self.name(), id.into(), socket)
    }
}

impl Registration {
    /// As [`TaskHandle::transfer`].
    pub fn transfer<S>(&self, id: impl Into<String>, socket: S) -> SocketTransfer
    where
        S: TryInto<Socket>,
        S::Error: Into<Boxed>,
    {
        SocketTransfer::new(self.app(), &self.id().to_string(), id.into(), socket)
    }
}

impl App {
    /// The sockets that the service manager passed to this program, by their names: of a unit
    /// `web.socket` of systemd, what its `FileDescriptorName=` says, or `web.socket`. None when it passed
    /// none, or when they were asked for before. What is of no [kind](crate::SocketKind) that is known
    /// here is closed.
    ///
    /// ```no_run
    /// use bgtask::{SocketActivity, prelude::*};
    ///
    /// #[background_task(trigger = socket)]
    /// async fn answer(mut activity: SocketActivity) -> std::io::Result<()> {
    ///     let connection: tokio::net::TcpStream = activity.take()?;
    ///     // … read what is there …
    ///     activity.give_back(connection)
    /// }
    ///
    /// #[bgtask::main]
    /// async fn main(app: App) -> bgtask::Result<()> {
    ///     for (name, listener) in app.passed_sockets()? {
    ///         app.task::<answer>().transfer(name, listener).await?;
    ///     }
    ///     app.run_until_shutdown().await
    /// }
    /// ```
    ///
    /// It takes what [`sd_listen_fds_with_names`](https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html)
    /// tells.
    ///
    /// # Errors
    /// [`Code::NotAccepted`]: `LISTEN_FDS` or `LISTEN_FDNAMES` of the environment is not so.
    #[cfg(target_os = "linux")]
    pub fn passed_sockets(&self) -> Result<Vec<(String, Socket)>> {
        let passed = crate::sys::passed().map_err(|error| {
            let rule = "the service manager passed no sockets as it said";
            Error::new(Code::NotAccepted, rule).source(error)
        })?;
        let known = passed.into_iter().filter_map(|(fd, name)| {
            let socket = Socket::try_from(fd);
            let unknown = |error: &std::io::Error| {
                tracing::warn!(%error, name, "a descriptor that was passed is no socket for a task");
            };
            Some((name.clone(), socket.inspect_err(unknown).ok()?))
        });
        Ok(known.collect())
    }

    /// Takes a socket back that was handed over under this id, or that a task gave back, to work on
    /// it here. `None`: there is none, or it has fired and is for its task now.
    ///
    /// ```no_run
    /// # let _ = async |app: bgtask::App| -> bgtask::Result<()> {
    /// let server: Option<tokio::net::TcpStream> = app.take_socket("chat").await?;
    /// println!("{server:?}");
    /// # Ok(())
    /// # };
    /// ```
    ///
    /// Windows: [`SocketActivityInformation.AllSockets`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.socketactivityinformation.allsockets).
    ///
    /// # Errors
    /// [`Code::Unsupported`]: it is of another kind, and closed now; [`Code::Closing`].
    pub async fn take_socket<S>(&self, id: impl Into<String>) -> Result<Option<S>>
    where
        S: TryFrom<Socket>,
        S::Error: Into<Boxed>,
    {
        let id = id.into();
        let socket = self.ask(|reply| Command::Reclaim { id, reply }).await?;
        let socket = socket.map(S::try_from).transpose();
        socket.map_err(|error| {
            Error::new(Code::Unsupported, "the socket cannot be taken").source(error.into())
        })
    }
}

/// A socket on its way to its task, from [`TaskHandle::transfer`]: to be awaited. Dropping it closes
/// the socket.
#[must_use = "nothing is handed over before it is awaited"]
pub struct SocketTransfer {
    app: App,
    task: String,
    id: String,
    socket: Result<Socket, Boxed>,
    context: Vec<u8>,
    keep_alive: Option<Duration>,
}

impl SocketTransfer {
    fn new<S>(app: &App, task: &str, id: String, socket: S) -> Self
    where
        S: TryInto<Socket>,
        S::Error: Into<Boxed>,
    {
        Self {
            app: app.clone(),
            task: task.to_owned(),
            id,
            socket: socket.try_into().map_err(Into::into),
            context: Vec::new(),
            keep_alive: None,
        }
    }

    /// What the task is told with the socket, [`SocketActivity::context`](crate::SocketActivity::context):
    /// at most 4 KiB. Nothing without it.
    ///
    /// Windows: [`SocketActivityContext`](https://learn.microsoft.com/uwp/api/windows.networking.sockets.socketactivitycontext).
    pub fn context(mut self, context: impl Into<Vec<u8>>) -> Self {
        self.context = context.into();
        self
    }

    /// Has the task start with [`KeepAlive`](crate::SocketReason::KeepAlive) when nothing came for so
    /// long, a second at least; time that the machine sleeps does not count. Never without it. A listener is not kept
    /// alive, and `control_channel` states the time itself.
    pub fn keep_alive(mut self, after: Duration) -> Self {
        self.keep_alive = Some(after);
        self
    }
}

impl IntoFuture for SocketTransfer {
    /// # Errors
    /// [`Code::Unsupported`]: the task's trigger takes no socket, or its declaration was refused;
    /// [`Code::NotAccepted`]: a socket of this id is there, or the channel has another;
    /// [`Code::QueueFull`]: 256 are handed over; [`Code::TooLarge`], [`Code::UnknownTask`],
    /// [`Code::Closing`]. The socket is closed then.
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let socket = self.socket.map_err(|error| {
                let rule = "the socket cannot be handed over";
                Error::new(Code::NotAccepted, rule).source(error)
            })?;
            let transfer = Box::new(Transfer {
                task: self.task,
                id: self.id,
                socket,
                context: self.context,
                keep_alive: self.keep_alive,
            });
            self.app
                .ask(|reply| Command::Transfer { transfer, reply })
                .await?
        })
    }
}

impl fmt::Debug for SocketTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketTransfer")
            .field("id", &self.id)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
