//! The child side: this program as a host. It runs bodies for the app that started it, never opens
//! the store, and ends when the app does.

use std::{
    collections::HashMap,
    fs::File,
    io,
    num::NonZero,
    os::{fd::BorrowedFd, unix::net::UnixStream},
    pin::pin,
    process::ExitCode,
    sync::Arc,
};

use rustix::{net::AddressFamily, process::Signal};
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    descendants::{self, Mark},
    handshake,
    runner::{Bounds, Paced, Running, TaskLookup},
    watchdog::{Scope, Watchdog},
};
use crate::{
    CancelReason, Code, Error, Outcome, Result, RunId, TaskContext,
    clock::SystemClock,
    ipc::{
        frame::{self, FrameError, FrameSender, Frames},
        host_message::{FromHost, ToHost, Work},
    },
    state::StateMap,
    sys,
};

/// Set in a host's environment.
pub(super) const MARKER: &str = "BGTASK_HOST";

/// Messages on their way out: beyond that, bodies' reports wait.
const OUTGOING: usize = 64;

/// A host's connection to its app, after both have said hello.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: UnixStream,
    pub(super) app_id: String,
    pub(super) group: String,
}

/// The connection to the app, if this process was started as its host. Takes the settings of the
/// process, so it comes before its first thread and before all user code.
///
/// The marker alone is not enough: what a host starts inherits its environment, but has another
/// parent than the mark tells, and another standard input.
///
/// # Errors
///
/// [`Code::Host`]: the app said no hello, or the process cannot take its settings. It is no host
/// then, and no app either: it must end.
pub(crate) fn connect() -> Result<Option<Connection>> {
    let Some(mark) = std::env::var_os(MARKER) else {
        return Ok(None);
    };
    let stdin = rustix::stdio::stdin();
    match rustix::net::getsockname(stdin) {
        Ok(address) if address.address_family() == AddressFamily::UNIX => {}
        _ => return Ok(None),
    }
    if !Mark::is_for(rustix::process::getppid(), &mark) {
        // An app that a host started, or a host whose app has ended already.
        return if has_hung_up(stdin) {
            vanish()
        } else {
            Ok(None)
        };
    }
    greet(stdin).map(Some).map_err(|why| {
        Error::new(
            Code::Host,
            format!("this process cannot serve background tasks: {why}"),
        )
    })
}

/// Whether the other end of a socket is closed.
fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut polled = [PollFd::new(&socket, PollFlags::empty())];
    let now = Timespec::default();
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}

fn greet(stdin: BorrowedFd<'_>) -> Result<Connection, String> {
    let failed = |what: &str, error: io::Error| format!("{what}: {error}");
    // First, so that nothing of ours is open yet.
    sys::close_inherited().map_err(|error| failed("descriptors cannot be closed", error))?;
    let socket = take(stdin).map_err(|error| failed("its connection cannot be taken", error))?;
    // Before a sandbox, and before anybody is started.
    descendants::adopt_orphans();
    let connection = handshake::answer(socket)?;
    watch(&connection.socket).map_err(|error| failed("its connection cannot be watched", error))?;
    Ok(connection)
}

/// Takes the socket away from standard input.
fn take(stdin: BorrowedFd<'_>) -> io::Result<UnixStream> {
    let socket = stdin.try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

fn watch(socket: &UnixStream) -> io::Result<()> {
    let lifeline = socket.try_clone()?;
    std::thread::Builder::new()
        .name("bgtask-lifeline".to_owned())
        .spawn(move || hold(&lifeline))?;
    Ok(())
}

/// Ends the process when the app is gone, whatever else it does: `setup` may hang.
fn hold(lifeline: &UnixStream) {
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

/// Serves as a host until the app says to stop. `state` is what `setup` made, or its error.
///
/// Does not return when the app is gone: the process then ends at once.
pub(crate) fn serve(
    connection: Connection,
    tasks: TaskLookup,
    state: Result<Arc<StateMap>, String>,
) -> ExitCode {
    match try_serve(connection, tasks, state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "a host of background tasks ends");
            ExitCode::FAILURE
        }
    }
}

fn try_serve(
    connection: Connection,
    tasks: TaskLookup,
    state: Result<Arc<StateMap>, String>,
) -> Result<(), FrameError> {
    let Connection {
        socket,
        app_id,
        group,
    } = connection;
    tracing::debug!(app_id, group, "a host of background tasks starts");
    let state = match state {
        Ok(state) => state,
        Err(error) => {
            let told = frame::write(&socket, &FromHost::SetupFailed { error });
            descendants::kill_own();
            return told;
        }
    };
    // Before there are threads: the app sends the first run while they start.
    match frame::write(&socket, &FromHost::Ready) {
        Err(error) if error.is_end() => vanish(),
        told => told?,
    }
    socket.set_nonblocking(true)?;
    // At least two, so that a body that never waits does not hold up another one.
    let workers = std::thread::available_parallelism().map_or(2, NonZero::get);
    let bodies = Builder::new_multi_thread()
        .worker_threads(workers.max(2))
        .enable_all()
        .build()
        .map_err(FrameError::Io)?;
    // The connection has this thread to itself: no body can keep it from being read.
    let here = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(FrameError::Io)?;
    let end = here.block_on(converse(socket, tasks, state, bodies.handle()));
    bodies.shutdown_background();
    descendants::kill_own();
    end
}

async fn converse(
    socket: UnixStream,
    tasks: TaskLookup,
    state: Arc<StateMap>,
    bodies: &Handle,
) -> Result<(), FrameError> {
    let socket = tokio::net::UnixStream::from_std(socket).map_err(FrameError::Io)?;
    let (sender, mut receiver) = Frames::<ToHost, FromHost>::new(socket).split();
    let (outgoing, queue) = mpsc::channel(OUTGOING);
    let writer = tokio::spawn(write(sender, queue));
    let mut runs = JoinSet::new();
    let mut asks = HashMap::new();
    let mut closing = false;
    while !(closing && runs.is_empty()) {
        tokio::select! {
            message = receiver.receive() => match message {
                Ok(Some(ToHost::Start(work))) => {
                    let run = work.run;
                    let (ask, asked) = watch::channel(None);
                    asks.insert(run, ask);
                    let hosted = Hosted {
                        tasks: Arc::clone(&tasks),
                        state: Arc::clone(&state),
                        bodies: bodies.clone(),
                        outgoing: outgoing.clone(),
                    };
                    runs.spawn(async move {
                        hosted.run(*work, asked).await;
                        run
                    });
                }
                Ok(Some(ToHost::Cancel { run, reason, .. })) => {
                    if let Some(ask) = asks.get(&run) {
                        ask.send_replace(Some(reason));
                    }
                }
                Ok(Some(ToHost::Shutdown)) => closing = true,
                Ok(Some(ToHost::Hello { .. })) => {
                    return Err(FrameError::Malformed("a second hello".to_owned()));
                }
                Ok(None) | Err(FrameError::Io(_)) => vanish(),
                Err(error) => return Err(error),
            },
            Some(ended) = runs.join_next(), if !runs.is_empty() => {
                // A run that is not followed any more has no end to tell: the process has.
                let run = ended.map_err(|error| FrameError::Malformed(error.to_string()))?;
                asks.remove(&run);
            }
        }
    }
    drop(outgoing);
    let _ = writer.await;
    Ok(())
}

/// A message, and whom to tell that the socket has taken it.
type Outgoing = (FromHost, oneshot::Sender<()>);

/// What a run needs of its host.
struct Hosted {
    tasks: TaskLookup,
    state: Arc<StateMap>,
    bodies: Handle,
    outgoing: mpsc::Sender<Outgoing>,
}

impl Hosted {
    /// Runs one body, from its start to its end.
    async fn run(self, work: Work, mut asked: watch::Receiver<Option<CancelReason>>) {
        let run = work.run;
        let Some(linked) = (self.tasks)(&work.entry) else {
            let error = "no task of that name is linked into this program".to_owned();
            return self.ended(run, Outcome::Failed { error }).await;
        };
        let (context, hooks) = TaskContext::new(
            work.task,
            run,
            work.attempt,
            work.fence,
            work.details,
            Arc::clone(&self.state),
        );
        // Before the body is called, which may end the process at once.
        let sent = self.send(FromHost::Started { run }).await;
        let _ = sent.await;
        let bounds = Bounds {
            result: work.max_result,
            watched: work.idle.is_some(),
        };
        let start = move |context: &TaskContext| linked.start(context);
        let mut running = Running::start(start, context, bounds, &self.bodies);
        let watchdog = work.idle.zip(running.activity()).map(|(idle, activity)| {
            let clock = Arc::new(SystemClock::portable());
            let progress = hooks.progress.clone();
            Watchdog::new(idle, Scope::Process, activity, progress, clock)
        });
        let mut idles = pin!(idles(watchdog.as_ref()));
        let mut progress = Paced::new(hooks.progress.clone());
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = running.ended() => break outcome,
                Ok(()) = asked.changed() => {
                    let reason = *asked.borrow_and_update();
                    if let Some(reason) = reason {
                        hooks.cancel(reason);
                    }
                }
                progress = progress.next() => {
                    self.send(FromHost::Progress { run, progress }).await;
                }
                () = &mut idles => {
                    idles.set(self::idles(watchdog.as_ref()));
                    self.send(FromHost::Idle { run }).await;
                }
            }
        };
        if let Some(progress) = progress.last() {
            self.send(FromHost::Progress { run, progress }).await;
        }
        self.ended(run, outcome).await;
    }

    async fn ended(&self, run: RunId, outcome: Outcome) {
        self.send(FromHost::Ended { run, outcome }).await;
    }

    /// Queues a message. What is returned resolves when the socket has taken it.
    async fn send(&self, message: FromHost) -> oneshot::Receiver<()> {
        let (taken, sent) = oneshot::channel();
        // A writer that is gone means a connection that is gone, which ends the process.
        let _ = self.outgoing.send((message, taken)).await;
        sent
    }
}

async fn idles(watchdog: Option<&Watchdog>) {
    match watchdog {
        Some(watchdog) => watchdog.idles().await,
        None => std::future::pending().await,
    }
}

async fn write(mut sender: FrameSender<FromHost>, mut queue: mpsc::Receiver<Outgoing>) {
    while let Some((message, taken)) = queue.recv().await {
        let sent = match (sender.send(&message).await, message) {
            (
                Err(error @ (FrameError::TooLong(_) | FrameError::Malformed(_))),
                FromHost::Ended { run, .. },
            ) => {
                let error = format!("its result cannot be sent from its process: {error}");
                let outcome = Outcome::Failed { error };
                sender.send(&FromHost::Ended { run, outcome }).await
            }
            (sent, _) => sent,
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "a host could not report");
            return;
        }
        let _ = taken.send(());
    }
}

/// Ends this process and what its bodies started: the app is gone, and nobody waits for a result.
/// By signal, because exit handlers could wait for a body.
pub(super) fn vanish() -> ! {
    use rustix::process::{getpgrp, getpid, kill_current_process_group, kill_process};

    descendants::kill_own();
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
