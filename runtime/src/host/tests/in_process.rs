//! Bodies in this process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    bodies::{Gate, IDLES, tasks},
    *,
};
use crate::{
    CancelReason, KillCause,
    clock::SystemClock,
    host::{Host, InProcessHost},
    state::StateMap,
};

/// The time a dropped body has until it is an overrun.
const SETTLE: Duration = Duration::from_secs(1);

struct Set {
    host: InProcessHost,
    events: Events,
    clock: Arc<StandingClock>,
    gate: Arc<Gate>,
}

fn set() -> Set {
    let (sender, events) = Events::new();
    let (clock, shared) = clock();
    let gate = Arc::new(Gate::default());
    let mut state = StateMap::default();
    state.insert(Arc::clone(&gate));
    Set {
        host: host(Arc::new(state), sender, shared),
        events,
        clock,
        gate,
    }
}

/// Bodies run on the runtime of the test.
fn host(
    state: Arc<StateMap>,
    events: mpsc::UnboundedSender<HostEvent>,
    clock: Arc<dyn Clock>,
) -> InProcessHost {
    let bodies = Handle::current();
    InProcessHost::new(tasks(), state, events, clock, &supervision(), bodies)
}

impl Set {
    fn start(&self, task: &str) -> RunId {
        let assignment = assignment(task);
        let run = assignment.run;
        self.host.start(assignment);
        run
    }

    /// Starts a body that tells where it is, and waits for that.
    async fn start_to_its_point(&mut self, task: &str) -> RunId {
        let run = self.start(task);
        assert_eq!(self.events.started(run).await, std::process::id());
        self.events.progress(run).await;
        run
    }
}

fn cancelled(reason: CancelReason, overrun: bool) -> Outcome {
    Outcome::Cancelled { reason, overrun }
}

#[tokio::test]
async fn each_way_to_return_is_an_outcome() {
    let mut set = set();
    for (task, outcome) in [
        ("value", completed(7)),
        ("plain_value", completed(8)),
        ("error", failed("no luck")),
        ("plain_error", failed("no luck")),
        (
            "refused",
            failed("no state of type `Db` was set in `setup`"),
        ),
        ("panic", panicked("at 2")),
        ("plain_panic", panicked("plainly")),
        ("call_panic", panicked("in the call")),
        ("odd_panic", panicked("a panic without a text")),
        (
            "deep",
            failed("its result is nested deeper than 100 levels"),
        ),
    ] {
        let run = set.start(task);
        set.events.started(run).await;
        assert_eq!(set.events.finished(run).await, outcome, "{task}");
    }
    set.events.nothing_more();
}

#[tokio::test]
async fn an_unknown_task_ends_without_a_start() {
    let mut set = set();
    let run = set.start("unheard_of");
    let HostEvent::Ended { outcome, .. } = set.events.of(run).await else {
        panic!("started");
    };
    assert_eq!(
        outcome,
        failed("no task of that name is linked into this program")
    );
    set.events.vacated(run).await;
    set.events.nothing_more();
}

#[tokio::test]
async fn a_body_knows_who_it_is() {
    let mut set = set();
    let mut assignment = assignment("who");
    assignment.attempt = 3;
    assignment.fence = 99;
    assignment.details.arguments = Some(serde_json::json!({"a": 1}));
    set.host.start(assignment.clone());
    let expected = serde_json::json!(["who", assignment.run, 3, 99, assignment.details]);
    assert_eq!(
        set.events.finished(assignment.run).await,
        completed(expected)
    );
}

#[tokio::test]
async fn an_error_after_being_asked_is_a_cancellation_and_a_value_stays() {
    let mut set = set();
    let heeds = set.start_to_its_point("heeds").await;
    set.host.cancel(heeds, CancelReason::EnergySaver);
    // The first reason counts.
    set.host.cancel(heeds, CancelReason::Abort);
    assert_eq!(
        set.events.finished(heeds).await,
        cancelled(CancelReason::EnergySaver, false)
    );
    let finishes = set.start_to_its_point("finishes").await;
    set.host.cancel(finishes, CancelReason::Abort);
    assert_eq!(set.events.finished(finishes).await, completed(true));
    set.host.cancel(finishes, CancelReason::Abort);
    set.events.nothing_more();
}

#[tokio::test]
async fn every_reason_reaches_a_body_as_it_was_given() {
    let mut set = set();
    for reason in CancelReason::ALL {
        let run = set.start_to_its_point("tells_reason").await;
        set.host.cancel(run, reason);
        assert_eq!(set.events.finished(run).await, completed(reason.word()));
    }
}

#[tokio::test]
async fn a_callback_is_called_while_the_body_computes() {
    let mut set = set();
    let run = set.start_to_its_point("listens").await;
    set.host.cancel(run, CancelReason::EnergySaver);
    set.host.cancel(run, CancelReason::Abort);
    let heard = serde_json::json!(["energy_saver", true, 1]);
    assert_eq!(set.events.finished(run).await, completed(heard));
}

#[tokio::test]
async fn a_callback_of_a_run_that_was_asked_is_called_at_once() {
    let mut set = set();
    let run = set.start_to_its_point("listens_late").await;
    set.host.cancel(run, CancelReason::Uninstall);
    assert_eq!(set.events.finished(run).await, completed("uninstall"));
}

#[tokio::test]
async fn a_body_over_its_time_is_dropped_where_it_waits() {
    let mut set = set();
    let run = set.start_to_its_point("forever").await;
    set.clock.pass(LIMIT).await;
    set.clock.pass(GRACE).await;
    assert_eq!(
        set.events.finished(run).await,
        cancelled(CancelReason::ExecutionTimeExceeded, false)
    );
    set.events.nothing_more();
}

#[tokio::test]
async fn a_body_over_its_time_may_still_end_in_its_grace() {
    let mut set = set();
    let run = set.start_to_its_point("heeds").await;
    set.clock.pass(LIMIT).await;
    assert_eq!(
        set.events.finished(run).await,
        cancelled(CancelReason::ExecutionTimeExceeded, false)
    );
}

#[tokio::test]
async fn a_plain_fn_that_does_not_stop_overruns_and_vacates_when_it_returns() {
    let mut set = set();
    let run = set.start_to_its_point("plain_gated").await;
    set.host.cancel(run, CancelReason::Abort);
    set.clock.pass(GRACE).await;
    assert_eq!(
        set.events.ended(run).await,
        cancelled(CancelReason::Abort, true)
    );
    set.events.nothing_more();
    set.gate.open();
    set.events.vacated(run).await;
    set.events.nothing_more();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_async_body_that_never_waits_overruns_too() {
    let mut set = set();
    let run = set.start_to_its_point("stuck").await;
    set.clock.pass(LIMIT).await;
    set.clock.pass(GRACE).await;
    set.clock.pass(SETTLE).await;
    assert_eq!(
        set.events.ended(run).await,
        cancelled(CancelReason::ExecutionTimeExceeded, true)
    );
    set.events.nothing_more();
    set.gate.open();
    set.events.vacated(run).await;
}

#[tokio::test]
async fn a_deferral_keeps_the_run_open_after_its_body() {
    let mut set = set();
    let run = set.start("defers");
    set.events.started(run).await;
    set.gate.reached.notified().await;
    set.events.nothing_more();
    set.gate.open();
    assert_eq!(set.events.finished(run).await, completed(10));
}

#[tokio::test]
async fn a_deferral_held_beyond_the_grace_is_an_overrun() {
    let mut set = set();
    let run = set.start("defers");
    set.events.started(run).await;
    set.gate.reached.notified().await;
    set.clock.pass(LIMIT).await;
    set.clock.pass(GRACE).await;
    set.clock.pass(SETTLE).await;
    assert_eq!(
        set.events.ended(run).await,
        cancelled(CancelReason::ExecutionTimeExceeded, true)
    );
    set.gate.open();
    set.events.vacated(run).await;
}

#[tokio::test]
async fn no_time_limit_means_none() {
    let mut set = set();
    let mut assignment = assignment("gated");
    assignment.limits.timeout = None;
    let run = assignment.run;
    set.host.start(assignment);
    set.events.started(run).await;
    set.events.progress(run).await;
    assert!(!set.clock.end_one(LIMIT));
    set.gate.open();
    assert_eq!(set.events.finished(run).await, completed(9));
}

#[tokio::test]
async fn a_result_may_be_as_long_as_is_allowed_and_not_longer() {
    let mut set = set();
    let just = sized(MAX_RESULT);
    set.host.start(just.clone());
    let outcome = set.events.finished(just.run).await;
    assert!(outcome.is_completed(), "{outcome:?}");
    let over = sized(MAX_RESULT + 1);
    set.host.start(over.clone());
    let Outcome::Failed { error } = set.events.finished(over.run).await else {
        panic!("it was taken");
    };
    let expected = "its result of 1048577 bytes of JSON is over the limit of 1048576: ";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.contains("AppBuilder::max_payload"), "{error}");
}

#[tokio::test]
async fn a_million_reports_are_few_messages() {
    let mut set = set();
    let run = set.start("reports_a_million");
    set.events.thinned(run).await;
}

#[tokio::test]
async fn a_deferral_that_nobody_drops_counts_toward_the_time() {
    let mut set = set();
    let run = set.start_to_its_point("leaks_a_deferral").await;
    set.clock.pass(LIMIT).await;
    set.clock.pass(GRACE).await;
    set.clock.pass(SETTLE).await;
    assert_eq!(
        set.events.ended(run).await,
        cancelled(CancelReason::ExecutionTimeExceeded, true)
    );
    set.events.nothing_more();
}

/// An idle time, and the time between two looks.
const IDLE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_secs(10);

impl Set {
    async fn watch_to_its_point(&mut self, task: &str) -> RunId {
        let mut assignment = assignment(task);
        assignment.limits.idle = Some(IDLE);
        let run = assignment.run;
        self.host.start(assignment);
        self.events.started(run).await;
        self.events.progress(run).await;
        run
    }

    /// Looks so often, and waits until what was seen counts.
    async fn looks(&self, times: u32) {
        for _ in 0..times {
            self.clock.pass(LOOK).await;
        }
        self.clock.is_waited_for(LOOK).await;
    }

    /// Looks until the run is asked to stop.
    async fn looks_until_asked(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.clock.is_waited_for(GRACE) => return,
                () = self.clock.pass(LOOK) => {}
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_does_nothing_is_asked_to_stop() {
    let mut set = set();
    let run = set.watch_to_its_point("forever").await;
    set.looks_until_asked().await;
    set.clock.pass(GRACE).await;
    let outcome = cancelled(CancelReason::IdleTask, false);
    assert_eq!(set.events.finished(run).await, outcome);
    set.events.nothing_more();
}

#[tokio::test]
async fn progress_from_anywhere_keeps_a_run_from_being_idle() {
    let mut set = set();
    let run = set.watch_to_its_point("reports_elsewhere").await;
    set.looks(3).await;
    set.gate.open();
    set.events.progress(run).await;
    // The first of them sees it, and the fifth is one too many.
    set.looks(4).await;
    set.clock.pass(LOOK).await;
    set.clock.pass(GRACE).await;
    let outcome = cancelled(CancelReason::IdleTask, false);
    assert_eq!(set.events.finished(run).await, outcome);
}

#[tokio::test]
async fn a_poll_keeps_a_run_from_being_idle() {
    let mut set = set();
    let run = set.watch_to_its_point("wakes_once").await;
    set.gate.reached.notified().await;
    set.looks(3).await;
    set.gate.open();
    set.gate.reached.notified().await;
    set.looks(4).await;
    set.clock.pass(LOOK).await;
    set.clock.pass(GRACE).await;
    let outcome = cancelled(CancelReason::IdleTask, false);
    assert_eq!(set.events.finished(run).await, outcome);
}

#[tokio::test]
async fn a_plain_fn_that_waits_is_idle() {
    let mut set = set();
    let run = set.watch_to_its_point("plain_gated").await;
    set.gate.reached.notified().await;
    set.looks_until_asked().await;
    set.gate.open();
    assert_eq!(set.events.finished(run).await, completed(9));
}

#[tokio::test]
async fn a_run_that_computes_is_not_idle() {
    let (sender, mut events) = Events::new();
    let clock = Arc::new(SystemClock::portable());
    let host = host(Arc::default(), sender, clock);
    let mut assignment = assignment("computes");
    assignment.limits.idle = Some(IDLES);
    let run = assignment.run;
    host.start(assignment);
    let unasked = completed(serde_json::Value::Null);
    assert_eq!(events.finished(run).await, unasked);
}

#[tokio::test]
async fn no_time_counts_while_somebody_debugs_the_app() {
    static DEBUGGED: AtomicBool = AtomicBool::new(true);
    let mut set = set();
    set.host = set.host.debugged(|| DEBUGGED.load(Ordering::Relaxed));
    let run = set.watch_to_its_point("forever").await;
    set.looks(6).await;
    set.clock.pass(LIMIT).await;
    // Its time begins anew.
    set.clock.is_waited_for(LIMIT).await;
    set.clock.is_waited_for(LOOK).await;
    set.host.cancel(run, CancelReason::Abort);
    set.clock.pass(GRACE).await;
    set.clock.is_waited_for(GRACE).await;
    set.events.nothing_more();
    DEBUGGED.store(false, Ordering::Relaxed);
    set.clock.pass(GRACE).await;
    let outcome = cancelled(CancelReason::Abort, false);
    assert_eq!(set.events.finished(run).await, outcome);
}

#[tokio::test]
async fn progress_skips_never_turns_back_and_its_last_value_arrives() {
    let mut set = set();
    let run = set.start("floods");
    set.events.started(run).await;
    let mut seen = Vec::new();
    loop {
        match set.events.of(run).await {
            HostEvent::Progress { progress, .. } => seen.push(progress.take().expect("not taken")),
            HostEvent::Ended { outcome, .. } => {
                assert_eq!(outcome, completed(serde_json::Value::Null));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.len() < 50_000, "all of {} were passed on", seen.len());
    assert!(seen.is_sorted_by_key(|progress| progress.sequence));
    let last = seen.last().expect("progress");
    assert_eq!((last.done, last.sequence), (100_000, 100_000));
}

#[tokio::test]
async fn a_long_progress_message_is_cut() {
    let mut set = set();
    let run = set.start("wordy");
    set.events.started(run).await;
    let message = set.events.progress(run).await.message.expect("a message");
    assert!(message.len() < 5000, "{}", message.len());
    assert!(message.ends_with("é…"), "{message}");
}

#[tokio::test]
async fn a_runtime_that_shuts_down_ends_its_runs_once() {
    let bodies = tokio::runtime::Runtime::new().expect("a runtime");
    let (mut set, run) = bodies
        .spawn(async {
            let mut set = set();
            let run = set.start_to_its_point("forever").await;
            (set, run)
        })
        .await
        .expect("no panic");
    bodies.shutdown_background();
    assert_eq!(
        set.events.finished(run).await,
        cancelled(CancelReason::Terminating, false)
    );
    set.events.nothing_more();
}

#[tokio::test]
async fn a_host_that_is_dropped_ends_its_runs_once() {
    let mut set = set();
    let run = set.start_to_its_point("forever").await;
    drop(set.host);
    let cause = KillCause::HostLost {
        detail: "its host was shut down before the run ended".to_owned(),
    };
    assert_eq!(set.events.finished(run).await, Outcome::Killed { cause });
    set.events.nothing_more();
}

#[tokio::test]
async fn the_cpu_time_of_a_run_is_told_if_it_is_asked_for() {
    let mut set = set();
    for task in ["burns", "plain_burns"] {
        for metered in [true, false] {
            let mut asked = assignment(task);
            asked.metered = metered;
            let run = asked.run;
            set.host.start(asked);
            let used = set.events.used(run).await;
            let expected = metered.then_some(true);
            assert_eq!(
                used.map(|used| used >= bodies::BURNT),
                expected,
                "{task} {used:?}"
            );
        }
    }
}
