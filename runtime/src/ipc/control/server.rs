//! The broker's side.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use rustix::process::{Uid, geteuid};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};

use super::{Hello, Request, Response, message::Reply, socket_path, stranger};
use crate::{
    Code, Error, Result,
    ipc::frame::{FrameError, Frames},
    task::{Answer, ServiceLine},
};

/// No more clients are served at a time; others wait in the kernel's queue.
const MOST_CLIENTS: usize = 32;
/// No more clients wait for something to happen. They keep no place of those that are served.
const MOST_WAITING: usize = 256;
/// How long a client may take to ask, or to take an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Who this is, at the moment.
    fn hello(&self) -> Hello;

    /// Answers a request. One that waits is dropped when the client goes.
    fn handle(&self, request: Request) -> BoxFuture<'_, Response>;

    /// Connects a client to a service.
    fn connect(&self, service: String) -> BoxFuture<'_, Result<Connected>>;
}

/// A client's connection to the run that serves it.
pub(crate) struct Connected {
    pub(crate) line: ServiceLine,
    /// Ends when there is no such run any more, nor will be.
    pub(crate) over: BoxFuture<'static, ()>,
}

/// A bound control socket; the socket's file goes with it.
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
    /// Whom it serves.
    pub(super) user: Uid,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.path.display())
    }
}

impl Server {
    /// Binds the socket in a runtime directory that was made private. The caller is the app's one
    /// broker, so a socket that is there was left by one that is gone.
    ///
    /// # Errors
    ///
    /// [`Code::Control`]: the socket cannot be made.
    pub(crate) fn bind(runtime_dir: &Path) -> Result<Self> {
        let path = socket_path(runtime_dir);
        let failed = |error: io::Error| {
            Error::new(
                Code::Control,
                format!("the control socket `{}` cannot be made", path.display()),
            )
            .source(error)
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self {
            listener,
            path,
            user: geteuid(),
        })
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self, handler: Arc<dyn Handler>) {
        let places = Places {
            served: Arc::new(Semaphore::new(MOST_CLIENTS)),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
        };
        // Dropped with this future, which ends all connections.
        let mut clients = JoinSet::new();
        loop {
            while clients.try_join_next().is_some() {}
            let Some(place) = places.served().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (handler, user) = (Arc::clone(&handler), self.user);
                    let places = places.clone();
                    clients.spawn(async move {
                        let conversed = converse(stream, user, &*handler, place, &places);
                        if let Err(error) = conversed.await {
                            tracing::debug!(%error, "a control connection ended");
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: some time may bring some back.
                    tracing::warn!(%error, "a control connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The next broker removes what is left.
        let _ = fs::remove_file(&self.path);
    }
}

/// How many clients there may be.
#[derive(Clone)]
struct Places {
    served: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Places {
    /// Waits for a place among those that are served.
    async fn served(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.served).acquire_owned().await.ok()
    }

    /// A place among those that wait.
    fn waiting(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        place.map_err(|_| {
            let rule = format!("{MOST_WAITING} clients wait for runs of this app already");
            Error::new(Code::Control, rule).remedy("try again later")
        })
    }
}

async fn converse(
    stream: UnixStream,
    user: Uid,
    handler: &dyn Handler,
    mut place: OwnedSemaphorePermit,
    places: &Places,
) -> Result<(), FrameError> {
    if stranger(&stream, user)?.is_some() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
    }
    let mut frames = Frames::<Request, Reply>::new(stream);
    within(frames.send(&Reply::Hello(handler.hello()))).await?;
    loop {
        let request = match within(frames.receive()).await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(FrameError::Malformed(what)) => {
                let error = Error::new(Code::Control, format!("the request is not known: {what}"))
                    .remedy("use the `bgtask` command of the app's version of bgtask");
                within(frames.send(&Reply::Answer(error.into()))).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Request::Connect { service } = request {
            let connected = match places.waiting() {
                Ok(waiting) => handler.connect(service).await.map(|one| (one, waiting)),
                Err(error) => Err(error),
            };
            match connected {
                Ok((connected, _waiting)) => {
                    drop(place);
                    return serve(frames, connected).await;
                }
                Err(error) => within(frames.send(&Reply::Answer(error.into()))).await?,
            }
            continue;
        }
        let response = if request.waits() {
            match places.waiting() {
                Ok(_waiting) => {
                    drop(place);
                    let response = tokio::select! {
                        response = handler.handle(request) => response,
                        // It has gone, or does not wait for its answer.
                        _ = frames.receive() => return Ok(()),
                    };
                    match places.served().await {
                        Some(served) => place = served,
                        None => return Ok(()),
                    }
                    response
                }
                Err(error) => error.into(),
            }
        } else {
            handler.handle(request).await
        };
        match within(frames.send(&Reply::Answer(response))).await {
            Err(error @ (FrameError::TooLong(_) | FrameError::Malformed(_))) => {
                let error =
                    Error::new(Code::Control, format!("the answer cannot be sent: {error}"))
                        .remedy("ask for less, such as one task or a smaller `--limit`");
                within(frames.send(&Reply::Answer(error.into()))).await?;
            }
            sent => sent?,
        }
    }
}

/// Hands requests to a run, and its answers back, until one of both is gone. Nothing of it has to be
/// in time.
async fn serve(
    mut frames: Frames<Request, Reply>,
    Connected { line, mut over }: Connected,
) -> Result<(), FrameError> {
    let answer = |response| Reply::Answer(response);
    within(frames.send(&answer(Response::Connected))).await?;
    loop {
        let request = tokio::select! {
            request = frames.receive() => request?,
            () = line.closed() => return hang_up(&mut frames).await,
            () = &mut over => return hang_up(&mut frames).await,
        };
        let message = match request {
            None => return Ok(()),
            Some(Request::Call { message }) => message,
            Some(_) => {
                let error = Error::new(Code::Control, "this connection is one to a service");
                within(frames.send(&answer(error.into()))).await?;
                continue;
            }
        };
        let response = tokio::select! {
            biased; // Its last answer comes before its end.
            answer = line.call(message) => match answer {
                Answer::Replied(message) => Response::Replied { message },
                Answer::Unanswered => Response::Unanswered,
                Answer::Closed => Response::ServiceClosed,
            },
            () = &mut over => Response::ServiceClosed,
            // It has gone, or does not wait for its answer.
            _ = frames.receive() => return Ok(()),
        };
        if response == Response::ServiceClosed {
            return hang_up(&mut frames).await;
        }
        match within(frames.send(&answer(response))).await {
            Err(FrameError::TooLong(_) | FrameError::Malformed(_)) => {
                within(frames.send(&answer(Response::Unanswered))).await?;
            }
            sent => sent?,
        }
    }
}

/// Says that the service has ended, and waits until the client goes: a request that is on its way would
/// find nobody, and the client not what was said.
async fn hang_up(frames: &mut Frames<Request, Reply>) -> Result<(), FrameError> {
    let closed = Reply::Answer(Response::ServiceClosed);
    within(frames.send(&closed)).await?;
    while frames.receive().await?.is_some() {}
    Ok(())
}

async fn within<T>(step: impl Future<Output = Result<T, FrameError>>) -> Result<T, FrameError> {
    match timeout(PATIENCE, step).await {
        Ok(done) => done,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
