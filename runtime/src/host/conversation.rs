//! A host's side of the connection to its app, after both have said hello.
//!
//! It has a thread to itself: neither `setup` nor a body can keep it from being read.

use std::{
    collections::HashMap,
    io,
    os::unix::net::UnixStream,
    process::ExitCode,
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{SetOnce, watch},
    task::JoinSet,
    time::sleep,
};

use super::{
    child::{Connection, vanish},
    descendants,
    hosted::{Hosted, Outgoing},
    remote_data::RemoteData,
    runner::TaskLookup,
};
use crate::{
    Code, Error, Result, Socket,
    ipc::{
        frame::{self, FrameError, Frames},
        host_message::{FromHost, ToHost},
    },
    state::StateMap,
};

/// So long a host waits for another run, before it gives back what of its executable is in memory: its
/// start runs much code that is not run again. Windows does so with what it suspends
/// (<https://learn.microsoft.com/windows/win32/memory/working-set>).
const REST: Duration = Duration::from_secs(1);

/// What bodies need, once it is there; or why `setup` made none.
type SetUp = SetOnce<Result<Serving, String>>;

/// What bodies need.
pub(super) struct Serving {
    pub(super) tasks: TaskLookup,
    pub(super) state: Arc<StateMap>,
    /// Where they run.
    pub(super) bodies: Handle,
}

/// A connection that is being read.
pub(crate) struct Conversation {
    socket: UnixStream,
    workers: usize,
    set_up: Arc<SetUp>,
    end: mpsc::Receiver<Result<(), FrameError>>,
}

impl Connection {
    /// Hears the app from now on, and ends the process when the app is gone, whatever else the
    /// process does: `setup` may hang.
    ///
    /// # Errors
    /// [`Code::Host`]: there is no thread for it.
    pub(crate) fn open(self) -> Result<Conversation> {
        tracing::debug!(self.app_id, self.group, "a host of background tasks starts");
        self.try_open().map_err(|error| {
            Error::new(Code::Host, "the app of this host cannot be heard").source(error)
        })
    }

    fn try_open(self) -> io::Result<Conversation> {
        let heard = self.socket.try_clone()?;
        let lifeline = self.socket.try_clone()?;
        let set_up = Arc::<SetUp>::default();
        let (ended, end) = mpsc::channel();
        let thread = std::thread::Builder::new().name("bgtask-app".to_owned());
        thread.spawn({
            let set_up = Arc::clone(&set_up);
            move || {
                let _ = ended.send(converse(heard, set_up));
                // What runs at the exit of the process may hang, too.
                hold(&lifeline);
            }
        })?;
        Ok(Conversation {
            socket: self.socket,
            workers: self.workers,
            set_up,
            end,
        })
    }
}

/// Ends the process when the app is gone.
pub(super) fn hold(lifeline: &UnixStream) {
    use rustix::event::{PollFd, PollFlags, poll};

    loop {
        // No event is asked for: a hang-up is always told.
        let mut socket = [PollFd::new(lifeline, PollFlags::empty())];
        match poll(&mut socket, None) {
            Ok(_) if socket[0].revents().contains(PollFlags::HUP) => vanish(),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::warn!(%error, "the connection to the app cannot be watched");
                return;
            }
        }
    }
}

impl Conversation {
    /// Serves as a host until the app says to stop. `state` is what `setup` made, or its error.
    ///
    /// Does not return when the app is gone: the process then ends at once.
    pub(crate) fn serve(self, tasks: TaskLookup, state: Result<Arc<StateMap>, String>) -> ExitCode {
        match self.try_serve(tasks, state) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "a host of background tasks ends");
                ExitCode::FAILURE
            }
        }
    }

    fn try_serve(
        self,
        tasks: TaskLookup,
        state: Result<Arc<StateMap>, String>,
    ) -> Result<(), FrameError> {
        let bodies = match state {
            Ok(state) => {
                // Before there are workers: the app sends the first run while they start. It has
                // heard so little yet that the socket takes this at once.
                match frame::write(&self.socket, &FromHost::Ready) {
                    Err(error) if error.is_end() => vanish(),
                    told => told?,
                }
                Some(self.start_workers(tasks, state).map_err(FrameError::Io)?)
            }
            Err(error) => {
                let _ = self.set_up.set(Err(error));
                None
            }
        };
        let end = self.end.recv();
        if let Some(bodies) = bodies {
            bodies.shutdown_background();
        }
        descendants::kill_own();
        end.unwrap_or_else(|_| Err(FrameError::Malformed("nobody reads it".to_owned())))
    }

    fn start_workers(&self, tasks: TaskLookup, state: Arc<StateMap>) -> io::Result<Runtime> {
        let set_up = Arc::clone(&self.set_up);
        Builder::new_multi_thread()
            // At least two, so that a body that never waits does not hold up another one.
            .worker_threads(self.workers.max(2))
            // The first run does not wait for more than the first of them.
            .on_thread_start(move || {
                if !set_up.initialized() {
                    let _ = set_up.set(Ok(Serving {
                        tasks: Arc::clone(&tasks),
                        state: Arc::clone(&state),
                        bodies: Handle::current(),
                    }));
                }
            })
            .enable_all()
            .build()
    }
}

fn converse(socket: UnixStream, set_up: Arc<SetUp>) -> Result<(), FrameError> {
    socket.set_nonblocking(true).map_err(FrameError::Io)?;
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(FrameError::Io)?
        .block_on(hear(socket, set_up))
}

async fn hear(socket: UnixStream, set_up: Arc<SetUp>) -> Result<(), FrameError> {
    let socket = tokio::net::UnixStream::from_std(socket).map_err(FrameError::Io)?;
    let (sender, mut receiver) = Frames::<ToHost, FromHost>::new(socket).split();
    let outgoing = Outgoing::new(sender);
    let data = Arc::new(RemoteData::new(outgoing.clone()));
    let mut runs = JoinSet::new();
    let mut asks = HashMap::new();
    let (mut is_set_up, mut closing) = (false, false);
    let mut rests = false;
    while !(is_set_up && closing && runs.is_empty()) {
        tokio::select! {
            message = receiver.receive() => match message {
                Ok(Some(ToHost::Start(work))) => {
                    let run = work.run;
                    let socket = match work.socket {
                        Some(kind) => {
                            let fd = receiver.take_descriptor();
                            let fd = fd.ok_or_else(|| {
                                FrameError::Malformed("a socket did not come along".to_owned())
                            })?;
                            Some(Socket::new(fd, kind))
                        }
                        None => None,
                    };
                    rests = false;
                    let (ask, asked) = watch::channel(None);
                    asks.insert(run, ask);
                    let (set_up, outgoing) = (Arc::clone(&set_up), outgoing.clone());
                    let data = Arc::clone(&data);
                    runs.spawn(async move {
                        if let Ok(serving) = set_up.wait().await {
                            let hosted = Hosted { serving, outgoing, data };
                            hosted.run(*work, socket, asked).await;
                        }
                        run
                    });
                }
                Ok(Some(ToHost::Cancel { run, reason, .. })) => {
                    if let Some(ask) = asks.get(&run) {
                        ask.send_replace(Some(reason));
                    }
                }
                Ok(Some(ToHost::Data { ask, kept })) => data.answered(ask, kept),
                Ok(Some(ToHost::Shutdown)) => closing = true,
                Ok(Some(ToHost::Hello { .. })) => {
                    return Err(FrameError::Malformed("a second hello".to_owned()));
                }
                Ok(None) | Err(FrameError::Io(_)) => vanish(),
                Err(error) => return Err(error),
            },
            done = set_up.wait(), if !is_set_up => match done {
                Ok(_) => is_set_up = true,
                Err(error) => {
                    let error = error.clone();
                    return outgoing.send(&FromHost::SetupFailed { error }).await;
                }
            },
            Some(ended) = runs.join_next(), if !runs.is_empty() => {
                // A run that is not followed any more has no end to tell: the process has.
                let run = ended.map_err(|error| FrameError::Malformed(error.to_string()))?;
                asks.remove(&run);
            }
            () = sleep(REST), if runs.is_empty() && !rests => {
                rests = true;
                #[cfg(target_os = "linux")]
                if let Err(error) = crate::sys::forget_executable() {
                    tracing::debug!(%error, "a host keeps all of its executable in memory");
                }
            }
        }
    }
    Ok(())
}
