//! A run in a host: its body, what is told of it, and what it is asked.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Mutex, watch};

use super::{
    conversation::Serving,
    remote_data::{Remote, RemoteData},
    runner::{Bounds, Paced, Running},
    watchdog::{Scope, Watchdog},
};
use crate::{
    CancelReason, Outcome, RunId, Socket, TaskContext,
    clock::SystemClock,
    ipc::{
        frame::{Frame, FrameError, FrameSender},
        host_message::{FromHost, Work},
    },
    task::{GivenBack, RunHooks},
};

/// Where messages to the app are written, one after the other.
#[derive(Clone)]
pub(super) struct Outgoing(Arc<Mutex<FrameSender<FromHost>>>);

impl Outgoing {
    pub(super) fn new(sender: FrameSender<FromHost>) -> Self {
        Self(Arc::new(Mutex::new(sender)))
    }

    /// Waits until the socket has taken the message.
    pub(super) async fn send(&self, message: &FromHost) -> Result<(), FrameError> {
        self.0.lock().await.send(message).await
    }

    /// Sends a socket that a run gives back.
    async fn give_back(&self, run: RunId, back: GivenBack) -> Result<(), FrameError> {
        let frame = Frame::of(&FromHost::GaveBack {
            run,
            kind: back.socket.kind(),
            context: back.context,
            keep_alive: back.keep_alive,
        })?;
        let fd = back.socket.into();
        self.0.lock().await.send_with(frame, fd).await
    }

    /// Takes a message if nothing else is being sent; [`flush`](Self::flush) sees to the rest of it.
    fn try_send(&self, message: &FromHost) -> bool {
        let (Ok(frame), Ok(mut sender)) = (Frame::of(message), self.0.try_lock()) else {
            return false;
        };
        sender.try_send(frame)
    }

    async fn flush(&self) -> Result<(), FrameError> {
        self.0.lock().await.flush().await
    }
}

/// What a run needs of its host.
pub(super) struct Hosted<'a> {
    pub(super) serving: &'a Serving,
    pub(super) outgoing: Outgoing,
    pub(super) data: Arc<RemoteData>,
}

impl Hosted<'_> {
    /// Runs one body, from its start to its end.
    pub(super) async fn run(
        self,
        work: Work,
        socket: Option<Socket>,
        mut asked: watch::Receiver<Option<CancelReason>>,
    ) {
        let run = work.run;
        let Some(linked) = (self.serving.tasks)(&work.entry) else {
            let error = "no task of that name is linked into this program".to_owned();
            return self.end(run, Outcome::Failed { error }, None).await;
        };
        let (context, hooks) = TaskContext::new(
            work.task,
            run,
            work.attempt,
            work.fence,
            work.details,
            Arc::clone(&self.serving.state),
            Arc::new(Remote(Arc::clone(&self.data))),
        );
        if let Some(socket) = socket {
            hooks.give(socket);
        }
        // Before the body is called, which may end the process at once.
        self.tell(&FromHost::Started { run }).await;
        let bounds = Bounds {
            result: work.max_result,
            watched: work.idle.is_some(),
            metered: work.metered,
        };
        let is_told = Arc::new(AtomicBool::new(false));
        let at_end = self.at_end(run, &context, &hooks, &is_told);
        let start = move |context: &TaskContext| linked.start(context);
        let mut running = Running::start(start, context, bounds, &self.serving.bodies, at_end);
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
                    self.tell(&FromHost::Progress { run, progress }).await;
                }
                () = &mut idles => {
                    idles.set(self::idles(watchdog.as_ref()));
                    self.tell(&FromHost::Idle { run }).await;
                }
            }
        };
        if is_told.load(Ordering::Acquire) {
            return warn(self.outgoing.flush().await);
        }
        if let Some(progress) = progress.last() {
            self.tell(&FromHost::Progress { run, progress }).await;
        }
        let changes = hooks.staged();
        if outcome.is_completed() && !changes.is_empty() {
            self.tell(&FromHost::Staged { run, changes }).await;
        }
        if let Some(back) = hooks.given_back() {
            warn(self.outgoing.give_back(run, back).await);
        }
        self.end(run, outcome, running.cpu()).await;
    }

    /// Tells the end of a run on its body's thread when that is all there is to tell, so that no
    /// other thread has to be woken before the app hears of it. It does not wait for the socket: a
    /// body that never waits could keep it from going on, with the connection in its hands.
    fn at_end(
        &self,
        run: RunId,
        context: &TaskContext,
        hooks: &RunHooks,
        is_told: &Arc<AtomicBool>,
    ) -> impl FnOnce(&Outcome, Option<Duration>) + Send + 'static {
        let outgoing = self.outgoing.clone();
        let context = context.clone();
        // What is reported through a clone that never looked at any is still to be seen there.
        let progress = hooks.progress.clone();
        let is_told = Arc::clone(is_told);
        move |outcome, cpu| {
            if !context.is_deferred()
                && matches!(progress.has_changed(), Ok(false))
                && !context.leaves_data()
                && !context.hand().gives_back()
            {
                let outcome = outcome.clone();
                let told = outgoing.try_send(&FromHost::Ended { run, outcome, cpu });
                is_told.store(told, Ordering::Release);
            }
        }
    }

    async fn end(&self, run: RunId, outcome: Outcome, cpu: Option<Duration>) {
        let end = FromHost::Ended { run, outcome, cpu };
        match self.outgoing.send(&end).await {
            Err(error @ (FrameError::TooLong(_) | FrameError::Malformed(_))) => {
                let error = format!("its result cannot be sent from its process: {error}");
                let outcome = Outcome::Failed { error };
                self.tell(&FromHost::Ended { run, outcome, cpu }).await;
            }
            told => warn(told),
        }
    }

    async fn tell(&self, message: &FromHost) {
        warn(self.outgoing.send(message).await);
    }
}

/// A connection that is gone ends the process, elsewhere.
fn warn(told: Result<(), FrameError>) {
    if let Err(error) = told {
        tracing::warn!(%error, "a host could not report");
    }
}

async fn idles(watchdog: Option<&Watchdog>) {
    match watchdog {
        Some(watchdog) => watchdog.idles().await,
        None => std::future::pending().await,
    }
}
