//! Both kinds of host against bodies of every kind. Time stands still unless a test lets it pass.

mod bodies;
mod in_process;
mod process;
pub(super) mod service_manager;
mod settings;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    runtime::{Builder, Handle},
    sync::{Notify, mpsc, oneshot},
};

use bgtask_model::ProcessSettings;

use super::{Assignment, HostEvent, Limits, Place, Share, Supervision};
use crate::{Details, Outcome, Progress, RunId, clock::Clock};

const LIMIT: Duration = Duration::from_secs(25);
const GRACE: Duration = Duration::from_secs(5);

/// The longest result that is taken, in bytes of JSON.
const MAX_RESULT: usize = 1 << 20;

/// What a test of a stuck program ends with instead of hanging. No test waits for it.
const STUCK: Duration = Duration::from_secs(60);

/// Runs are supervised on a thread of their own, apart from bodies.
fn supervision() -> Supervision {
    static THREAD: LazyLock<Handle> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    });
    Supervision::on(THREAD.clone())
}

fn assignment(task: &str) -> Assignment {
    Assignment {
        run: RunId::now(),
        task: task.to_owned(),
        entry: task.to_owned(),
        group: None,
        attempt: 1,
        fence: 1,
        details: Details::default(),
        limits: Limits {
            timeout: Some(LIMIT),
            grace: GRACE,
            cpu: None,
            idle: None,
        },
        max_result: MAX_RESULT,
        metered: false,
        place: Place {
            share: Share::Group("media".to_owned()),
            settings: ProcessSettings::default(),
        },
        socket: None,
    }
}

/// A run whose result is a text of so many bytes of JSON.
fn sized(length: usize) -> Assignment {
    let mut assignment = assignment("sized");
    assignment.details.arguments = Some(length.into());
    assignment
}

/// Time that passes only where a test says so: by the length somebody waits for.
#[derive(Debug, Default)]
struct StandingClock {
    waiting: Mutex<Vec<(Duration, oneshot::Sender<()>)>>,
    more: Notify,
    /// Waits shorter than this end at once.
    flows_below: Mutex<Duration>,
}

impl StandingClock {
    /// Ends one wait of that length; waits until somebody has begun one.
    async fn pass(&self, length: Duration) {
        let passed = async {
            loop {
                let more = self.more.notified();
                if self.end_one(length) {
                    return;
                }
                more.await;
            }
        };
        tokio::time::timeout(STUCK, passed)
            .await
            .unwrap_or_else(|_| panic!("nobody waits for {length:?}"));
    }

    /// Waits until somebody waits for that length.
    async fn is_waited_for(&self, length: Duration) {
        self.are_waiting(1, length).await;
    }

    /// Waits until so many wait for that length.
    async fn are_waiting(&self, count: usize, length: Duration) {
        let waited_for = async {
            loop {
                let more = self.more.notified();
                if self.waiting(length) >= count {
                    return;
                }
                more.await;
            }
        };
        tokio::time::timeout(STUCK, waited_for)
            .await
            .unwrap_or_else(|_| panic!("nobody waits for {length:?}"));
    }

    fn waiting(&self, length: Duration) -> usize {
        let waiting = self.waiting.lock().expect("no panic under it");
        let that_long =
            |(wait, wake): &&(Duration, oneshot::Sender<()>)| *wait == length && !wake.is_closed();
        waiting.iter().filter(that_long).count()
    }

    /// From now on, waits shorter than this end at once.
    fn flow_below(&self, length: Duration) {
        *self.flows_below.lock().expect("no panic under it") = length;
    }

    fn end_one(&self, length: Duration) -> bool {
        let mut waiting = self.waiting.lock().expect("no panic under it");
        waiting.retain(|(_, wake)| !wake.is_closed());
        let Some(at) = waiting.iter().position(|(wait, _)| *wait == length) else {
            return false;
        };
        waiting.remove(at).1.send(()).is_ok()
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn awake(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if length < *self.flows_below.lock().expect("no panic under it") {
                return tokio::task::yield_now().await;
            }
            let (wake, woken) = oneshot::channel();
            self.waiting
                .lock()
                .expect("no panic under it")
                .push((length, wake));
            self.more.notify_waiters();
            woken.await.expect("the clock outlives its waits");
        })
    }
}

/// The events of a host, with those of other runs kept for later.
struct Events {
    receiver: mpsc::UnboundedReceiver<HostEvent>,
    kept: VecDeque<HostEvent>,
}

impl Events {
    fn new() -> (mpsc::UnboundedSender<HostEvent>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let kept = VecDeque::new();
        (sender, Self { receiver, kept })
    }

    async fn of(&mut self, run: RunId) -> HostEvent {
        if let Some(at) = self.kept.iter().position(|event| run_of(event) == run) {
            return self.kept.remove(at).expect("found");
        }
        loop {
            let event = tokio::time::timeout(STUCK, self.receiver.recv())
                .await
                .expect("an event")
                .expect("a host");
            if run_of(&event) == run {
                return event;
            }
            self.kept.push_back(event);
        }
    }

    /// Takes all of a run that reports a million times: few messages, in order, and the last one.
    async fn thinned(&mut self, run: RunId) {
        self.started(run).await;
        let mut seen = Vec::new();
        let milliseconds = loop {
            match self.of(run).await {
                HostEvent::Progress { progress, .. } => seen.extend(progress.take()),
                HostEvent::Ended {
                    outcome: Outcome::Completed { value },
                    ..
                } => break value.as_u64().expect("a number"),
                other => panic!("{other:?}"),
            }
        };
        // One each 10 ms, the first at once, and what was left at the end.
        let most = milliseconds / 10 + 3;
        assert!(seen.len() as u64 <= most, "{} > {most}", seen.len());
        assert!(seen.is_sorted_by(|one, next| one.sequence < next.sequence));
        let last = seen.last().expect("progress");
        assert_eq!((last.done, last.sequence), (1_000_000, 1_000_000));
    }

    async fn started(&mut self, run: RunId) -> u32 {
        match self.of(run).await {
            HostEvent::Started { pid, .. } => pid,
            other => panic!("not started: {other:?}"),
        }
    }

    async fn progress(&mut self, run: RunId) -> Progress {
        match self.of(run).await {
            HostEvent::Progress { progress, .. } => progress.take().expect("not taken"),
            other => panic!("no progress: {other:?}"),
        }
    }

    /// Skips the start and progress.
    async fn ended(&mut self, run: RunId) -> Outcome {
        loop {
            match self.of(run).await {
                HostEvent::Ended { outcome, .. } => return outcome,
                HostEvent::Vacated { .. } => panic!("vacated before its end"),
                HostEvent::Started { .. }
                | HostEvent::Progress { .. }
                | HostEvent::Staged { .. }
                | HostEvent::GaveBack { .. } => {}
            }
        }
    }

    /// The CPU time that is told with the end of a run.
    async fn used(&mut self, run: RunId) -> Option<Duration> {
        loop {
            if let HostEvent::Ended { cpu, .. } = self.of(run).await {
                self.vacated(run).await;
                return cpu;
            }
        }
    }

    async fn vacated(&mut self, run: RunId) {
        match self.of(run).await {
            HostEvent::Vacated { .. } => {}
            other => panic!("not vacated: {other:?}"),
        }
    }

    async fn finished(&mut self, run: RunId) -> Outcome {
        let outcome = self.ended(run).await;
        self.vacated(run).await;
        outcome
    }

    /// Asserts that nothing more was reported.
    fn nothing_more(&mut self) {
        assert!(self.kept.is_empty(), "{:?}", self.kept);
        if let Ok(event) = self.receiver.try_recv() {
            panic!("more was reported: {event:?}");
        }
    }
}

fn run_of(event: &HostEvent) -> RunId {
    match event {
        HostEvent::Started { run, .. }
        | HostEvent::Progress { run, .. }
        | HostEvent::Staged { run, .. }
        | HostEvent::GaveBack { run, .. }
        | HostEvent::Ended { run, .. }
        | HostEvent::Vacated { run } => *run,
    }
}

fn failed(error: &str) -> Outcome {
    Outcome::Failed {
        error: error.to_owned(),
    }
}

fn panicked(message: &str) -> Outcome {
    Outcome::Panicked {
        message: message.to_owned(),
    }
}

fn completed(value: impl Into<serde_json::Value>) -> Outcome {
    Outcome::Completed {
        value: value.into(),
    }
}

fn clock() -> (Arc<StandingClock>, Arc<dyn Clock>) {
    let clock = Arc::new(StandingClock::default());
    (Arc::clone(&clock), clock)
}
