//! Runs bodies in the app's process.
//!
//! An async body that does not stop in time is dropped at its await point. What cannot be dropped
//! (a plain fn, or an async fn that does not come to an await point) is recorded as an overrun,
//! and vacates its slot when it really returns.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{
    Assignment, Host, HostEvent, Limits, debugger,
    groups::GroupHandlers,
    report::Report,
    runner::{Bounds, Paced, Running, TaskLookup},
    supervision::{Owned, Supervision},
    watchdog::{Scope, Watchdog},
};
use crate::{
    CancelReason, Outcome, RunId, TaskContext,
    body::Body,
    clock::Clock,
    state::StateMap,
    task::{DataReader, NoData, RunHooks},
};

/// How long a dropped body may take to come to an await point before that is an overrun.
const SETTLE: Duration = Duration::from_secs(1);

/// How soon it is seen that nobody debugs this process any more, at the soonest.
const DEBUGGED: Duration = Duration::from_secs(1);

/// The host of tasks without `host = process`.
pub(crate) struct InProcessHost {
    tasks: TaskLookup,
    groups: GroupHandlers,
    state: Arc<StateMap>,
    data: Arc<dyn DataReader>,
    events: mpsc::UnboundedSender<HostEvent>,
    /// Where bodies run.
    bodies: Handle,
    supervisors: Owned,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    /// Whether time limits are lifted, because somebody looks into this process.
    debugged: fn() -> bool,
    /// Runs that were not yet asked to stop. The first to ask takes the sender out.
    asks: Mutex<HashMap<RunId, oneshot::Sender<CancelReason>>>,
}

impl InProcessHost {
    /// Bodies run on the runtime `bodies`. Dropping the host drops what can be dropped.
    pub(crate) fn new(
        tasks: TaskLookup,
        state: Arc<StateMap>,
        events: mpsc::UnboundedSender<HostEvent>,
        clock: Arc<dyn Clock>,
        supervision: &Supervision,
        bodies: Handle,
    ) -> Self {
        Self {
            tasks,
            groups: GroupHandlers::default(),
            state,
            data: Arc::new(NoData),
            events,
            bodies,
            supervisors: supervision.owned(),
            shared: Arc::new(Shared {
                clock,
                debugged: || debugger::lifts_limits(std::process::id()),
                asks: Mutex::default(),
            }),
        }
    }

    /// Members of a group with a handler run that instead of their own body.
    pub(crate) fn with_groups(mut self, groups: GroupHandlers) -> Self {
        self.groups = groups;
        self
    }

    /// Bodies read the app's data here.
    pub(crate) fn with_data(mut self, data: Arc<dyn DataReader>) -> Self {
        self.data = data;
        self
    }

    /// Somebody debugs this process while `debugged` says so.
    #[cfg(test)]
    pub(super) fn debugged(mut self, debugged: fn() -> bool) -> Self {
        let shared = Arc::get_mut(&mut self.shared).expect("nothing was started");
        shared.debugged = debugged;
        self
    }
}

impl Host for InProcessHost {
    fn start(&self, assignment: Assignment) {
        let mut report = Report::new(assignment.run, self.events.clone());
        let handler = self.groups.of(assignment.group.as_deref());
        let Some(linked) = (self.tasks)(&assignment.entry) else {
            report.end(Outcome::Failed {
                error: "no task of that name is linked into this program".to_owned(),
            });
            return;
        };
        let (ask, asked) = oneshot::channel();
        self.shared.asks().insert(assignment.run, ask);
        let shared = Arc::clone(&self.shared);
        let (context, hooks) = TaskContext::new(
            assignment.task,
            assignment.run,
            assignment.attempt,
            assignment.fence,
            assignment.details,
            Arc::clone(&self.state),
            Arc::clone(&self.data),
        );
        if let Some(socket) = assignment.socket.and_then(|socket| socket.take()) {
            hooks.give(socket);
        }
        report.started(std::process::id());
        let limits = assignment.limits;
        let bounds = Bounds {
            result: assignment.max_result,
            watched: limits.idle.is_some(),
            metered: assignment.metered,
        };
        let start = move |context: &TaskContext| match handler {
            Some(handler) => Body::Async(handler(context.clone())),
            None => linked.start(context),
        };
        let running = Running::start(start, context, bounds, &self.bodies, |_, _| ());
        self.supervisors.spawn(async move {
            let run = Run {
                running,
                progress: Paced::new(hooks.progress.clone()),
                report,
                hooks,
            };
            shared.supervise(run, limits, asked).await;
            shared.asks().remove(&assignment.run);
        });
    }

    fn cancel(&self, run: RunId, reason: CancelReason) {
        if let Some(ask) = self.shared.asks().remove(&run) {
            let _ = ask.send(reason);
        }
    }
}

impl fmt::Debug for InProcessHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessHost")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn asks(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, oneshot::Sender<CancelReason>>> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn supervise(
        &self,
        mut run: Run,
        limits: Limits,
        asked: oneshot::Receiver<CancelReason>,
    ) {
        let watchdog = self.watchdog(&run, limits.idle);
        let interruption = self.interruption(limits.timeout, watchdog, asked);
        let Err(reason) = run.follow(interruption).await else {
            return;
        };
        run.hooks.cancel(reason);
        if run.follow(self.over(limits.grace)).await.is_ok() {
            return;
        }
        if run.running.drop_body() && run.follow(self.clock.awake(SETTLE)).await.is_ok() {
            return;
        }
        run.report.used(run.running.cpu());
        run.report.end(Outcome::Cancelled {
            reason,
            overrun: true,
        });
        run.running.ended().await;
    }

    fn watchdog(&self, run: &Run, idle: Option<Duration>) -> Option<Watchdog> {
        Some(Watchdog::new(
            idle?,
            Scope::Thread,
            run.running.activity()?,
            run.hooks.progress.clone(),
            Arc::clone(&self.clock),
        ))
    }

    /// Waits for the end of a run's time, which begins anew while somebody debugs this process.
    async fn over(&self, time: Duration) {
        self.clock.awake(time).await;
        while (self.debugged)() {
            self.clock.awake(time.max(DEBUGGED)).await;
        }
    }

    /// Waits for the reason to stop a run before its end.
    async fn interruption(
        &self,
        timeout: Option<Duration>,
        watchdog: Option<Watchdog>,
        asked: oneshot::Receiver<CancelReason>,
    ) -> CancelReason {
        let asked = async {
            match asked.await {
                Ok(reason) => reason,
                Err(_) => std::future::pending().await,
            }
        };
        let over = async {
            match timeout {
                Some(timeout) => self.over(timeout).await,
                None => std::future::pending().await,
            }
        };
        let idles = async {
            match watchdog {
                Some(watchdog) => loop {
                    watchdog.idles().await;
                    if !(self.debugged)() {
                        return;
                    }
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            reason = asked => reason,
            () = over => CancelReason::ExecutionTimeExceeded,
            () = idles => CancelReason::IdleTask,
        }
    }
}

/// A run in this process.
struct Run {
    running: Running,
    progress: Paced,
    report: Report,
    hooks: RunHooks,
}

impl Run {
    /// Passes on progress until the run's end, which is reported too, or until `interruption`.
    async fn follow<T>(&mut self, interruption: impl Future<Output = T>) -> Result<(), T> {
        let mut interruption = pin!(interruption);
        loop {
            tokio::select! {
                biased;
                outcome = self.running.ended() => {
                    if let Some(last) = self.progress.last() {
                        self.report.progress(last);
                    }
                    let changes = self.hooks.staged();
                    if outcome.is_completed() {
                        self.report.staged(changes);
                    }
                    if let Some(back) = self.hooks.given_back() {
                        self.report.gave_back(back);
                    }
                    self.report.used(self.running.cpu());
                    self.report.end(outcome);
                    return Ok(());
                }
                interrupted = &mut interruption => return Err(interrupted),
                progress = self.progress.next() => self.report.progress(progress),
            }
        }
    }
}
