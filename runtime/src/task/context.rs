//! What a body is given: progress, cancellation, deferrals, and who it is.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use super::{
    CancelReason, Cancelled, Data, DataReader, Details, GivenBack, Hand, MemoryUsage, Progress,
    Socket, Stage, TaskData, cancel::Cancellation,
};
use crate::RunId;

/// What a run may ask and report. Cheap to clone; clones speak for the same run.
///
/// ```
/// use bgtask::prelude::*;
///
/// #[background_task(trigger = every("1h"), timeout = "5m")]
/// async fn sweep(task: TaskContext) -> Result<u64, Cancelled> {
///     for step in 0..10_u64 {
///         task.checkpoint()?; // leaves when the run is asked to stop
///         task.progress_with(step, 10, "sweeping");
///     }
///     Ok(task.fence())
/// }
/// # fn main() {}
/// ```
///
/// Windows: [`IBackgroundTaskInstance`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.ibackgroundtaskinstance).
#[derive(Clone)]
pub struct TaskContext {
    shared: Arc<Shared>,
}

struct Shared {
    task: String,
    run: RunId,
    attempt: u32,
    fence: u64,
    details: Details,
    cancellation: Cancellation,
    progress: watch::Sender<Progress>,
    sequence: AtomicU64,
    deferrals: AtomicUsize,
    deferrals_done: Notify,
    state: Arc<crate::state::StateMap>,
    data: Data,
    hand: Hand,
}

/// The runner's side of a [`TaskContext`]; dropped when the run is over.
pub(crate) struct RunHooks {
    shared: Arc<Shared>,
    /// The last progress.
    pub(crate) progress: watch::Receiver<Progress>,
}

impl RunHooks {
    /// Asks the run to stop, and calls those who wanted to hear of it. The first reason counts.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        self.shared.cancellation.ask(reason);
    }

    /// What the run staged of the app's data. It stages nothing more.
    pub(crate) fn staged(&self) -> Stage {
        self.shared.data.close()
    }

    /// The socket that the body may take.
    pub(crate) fn give(&self, socket: Socket) {
        self.shared.hand.give(socket);
    }

    /// The socket that the run gave back.
    pub(crate) fn given_back(&self) -> Option<GivenBack> {
        self.shared.hand.given_back()
    }
}

impl Drop for RunHooks {
    fn drop(&mut self) {
        self.shared.cancellation.close();
    }
}

impl fmt::Debug for RunHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHooks")
            .field("run", &self.shared.run)
            .finish_non_exhaustive()
    }
}

impl TaskContext {
    /// A context and the runner's side of it.
    pub(crate) fn new(
        task: impl Into<String>,
        run: RunId,
        attempt: u32,
        fence: u64,
        details: Details,
        state: Arc<crate::state::StateMap>,
        data: Arc<dyn DataReader>,
    ) -> (Self, RunHooks) {
        let task = task.into();
        let (progress, last) = watch::channel(Progress {
            sequence: 0,
            done: 0,
            total: 0,
            message: None,
        });
        let shared = Shared {
            cancellation: Cancellation::new(&task),
            task,
            run,
            attempt,
            fence,
            details,
            progress,
            sequence: AtomicU64::new(0),
            deferrals: AtomicUsize::new(0),
            deferrals_done: Notify::new(),
            state,
            data: Data::new(data),
            hand: Hand::default(),
        };
        let context = Self {
            shared: Arc::new(shared),
        };
        let hooks = RunHooks {
            shared: Arc::clone(&context.shared),
            progress: last,
        };
        (context, hooks)
    }

    /// The task's name.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.shared.task
    }

    /// This run's identity (Windows: `InstanceId`).
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.shared.run
    }

    /// 1 for the first try of an activation, 2 for the next.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.shared.attempt
    }

    /// A number that grows with each start of the same activation. Hand it to external systems so
    /// that they can refuse what an outlived run still sends.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.shared.fence
    }

    /// What the trigger said.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.shared.details
    }

    /// Reports that `done` of `total` is done. Any integer types will do; what does not fit
    /// counts as the largest number.
    pub fn progress(&self, done: impl TryInto<u64>, total: impl TryInto<u64>) {
        self.report(done, total, None);
    }

    /// As [`progress`](Self::progress), and says what the run is doing.
    pub fn progress_with(
        &self,
        done: impl TryInto<u64>,
        total: impl TryInto<u64>,
        message: impl Into<String>,
    ) {
        self.report(done, total, Some(message.into()));
    }

    fn report(&self, done: impl TryInto<u64>, total: impl TryInto<u64>, message: Option<String>) {
        let done = done.try_into().unwrap_or(u64::MAX);
        let total = total.try_into().unwrap_or(u64::MAX);
        // Within the channel's own lock, so that the sequence cannot be published out of order.
        self.shared.progress.send_modify(|last| {
            *last = Progress {
                sequence: self.shared.sequence.fetch_add(1, Ordering::Relaxed) + 1,
                done,
                total,
                message,
            };
        });
    }

    /// Why the run was asked to stop, once it was.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.shared.cancellation.reason()
    }

    /// `Err` once the run was asked to stop; to be called between steps of the work.
    ///
    /// # Errors
    /// [`Cancelled`] with the reason.
    pub fn checkpoint(&self) -> Result<(), Cancelled> {
        self.cancel_reason()
            .map_or(Ok(()), |reason| Err(Cancelled(reason)))
    }

    /// Waits until the run is asked to stop.
    pub async fn cancelled(&self) -> CancelReason {
        let mut asked = self.shared.cancellation.watch();
        loop {
            if let Some(reason) = *asked.borrow_and_update() {
                return reason;
            }
            if asked.changed().await.is_err() {
                // Not while this context is there, which holds the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Has `callback` called once when the run is asked to stop, on a thread of its own, so that
    /// it is heard while the body computes. When the run was asked already, that is now; when it
    /// ends without being asked, never. Several are called side by side.
    ///
    /// It should set a flag or end a wait and return: what it takes counts toward the run's
    /// `grace`, and nothing waits for it after the run's end. A panic in it is logged and changes
    /// nothing.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use bgtask::prelude::*;
    ///
    /// static STOP: AtomicBool = AtomicBool::new(false);
    ///
    /// #[background_task(trigger = every("1h"))]
    /// fn crunch(task: TaskContext) -> Result<u64, Cancelled> {
    ///     task.on_cancel(|_| STOP.store(true, Ordering::Relaxed));
    ///     let mut sum = 0_u64;
    ///     while !STOP.load(Ordering::Relaxed) && sum < 1_000_000 {
    ///         sum += 1; // a library's loop that knows only its own flag
    ///     }
    ///     task.checkpoint()?;
    ///     Ok(sum)
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// Windows: [`IBackgroundTaskInstance.Canceled`](https://learn.microsoft.com/uwp/api/windows.applicationmodel.background.ibackgroundtaskinstance.canceled),
    /// which is raised on another thread too.
    pub fn on_cancel(&self, callback: impl FnOnce(CancelReason) + Send + 'static) {
        self.shared.cancellation.on_ask(callback);
    }

    /// How much memory the process uses that the body runs in, and how much it may use. Read
    /// afresh each time, which takes some microseconds.
    ///
    /// ```
    /// use bgtask::prelude::*;
    ///
    /// #[background_task(trigger = every("1h"), host = process, memory = "512MiB")]
    /// async fn index(task: TaskContext) -> bgtask::Result<()> {
    ///     let memory = task.memory()?;
    ///     let room = memory.limit.map(|limit| limit.saturating_sub(memory.used));
    ///     if room.is_some_and(|room| room < 64 << 20) {
    ///         // write out what is kept in memory
    ///     }
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// [`Code::Unsupported`](crate::Code::Unsupported) where the system does not tell.
    pub fn memory(&self) -> crate::Result<MemoryUsage> {
        MemoryUsage::of_this_process()
    }

    /// The app's data: keys and values that the app and its tasks share. What the run changes is
    /// kept if it completes.
    #[must_use]
    pub const fn data(&self) -> TaskData<'_> {
        TaskData::new(self)
    }

    pub(super) fn own_data(&self) -> &Data {
        &self.shared.data
    }

    /// Whether the run has staged something. If not, nothing can be any more.
    pub(crate) fn leaves_data(&self) -> bool {
        self.shared.data.is_staged()
    }

    /// What the run has of its socket.
    pub(crate) fn hand(&self) -> &Hand {
        &self.shared.hand
    }

    /// Keeps the run open after its body has returned, until the guard is dropped
    /// (Windows: `GetDeferral`). The body itself needs none.
    #[must_use = "the deferral ends when it is dropped"]
    pub fn deferral(&self) -> Deferral {
        self.shared.deferrals.fetch_add(1, Ordering::AcqRel);
        Deferral {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Whether a deferral is held.
    pub(crate) fn is_deferred(&self) -> bool {
        self.shared.deferrals.load(Ordering::Acquire) != 0
    }

    /// Waits until no deferral is held.
    pub(crate) async fn deferrals_done(&self) {
        loop {
            let done = self.shared.deferrals_done.notified();
            tokio::pin!(done);
            done.as_mut().enable();
            if !self.is_deferred() {
                return;
            }
            done.await;
        }
    }

    /// When the activation was created.
    pub(crate) fn fired_at(&self) -> jiff::Timestamp {
        self.shared.details.fired
    }

    pub(crate) fn state(&self) -> &crate::state::StateMap {
        &self.shared.state
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("task", &self.shared.task)
            .field("run", &self.shared.run)
            .field("attempt", &self.shared.attempt)
            .finish_non_exhaustive()
    }
}

/// Keeps a run open; see [`TaskContext::deferral`].
pub struct Deferral {
    shared: Arc<Shared>,
}

impl Drop for Deferral {
    fn drop(&mut self) {
        if self.shared.deferrals.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.deferrals_done.notify_waiters();
        }
    }
}

impl fmt::Debug for Deferral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferral")
            .field("run", &self.shared.run)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> (TaskContext, RunHooks) {
        let state = Arc::default();
        let data = Arc::new(crate::task::NoData);
        TaskContext::new("task", RunId::now(), 1, 1, Details::default(), state, data)
    }

    #[test]
    fn what_was_not_called_goes_with_the_run() {
        let (context, hooks) = context();
        let keeps = context.clone();
        // It keeps the context, which keeps the callback.
        context.on_cancel(move |_| drop(keeps));
        let shared = Arc::downgrade(&context.shared);
        drop(context);
        assert!(shared.upgrade().is_some());
        drop(hooks);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn nobody_hears_of_a_run_that_is_over() {
        let (context, hooks) = context();
        drop(hooks);
        let (heard, hears) = std::sync::mpsc::channel::<CancelReason>();
        context.on_cancel(move |reason| heard.send(reason).expect("the test waits"));
        let dropped = std::sync::mpsc::TryRecvError::Disconnected;
        assert_eq!(hears.try_recv(), Err(dropped));
    }
}
