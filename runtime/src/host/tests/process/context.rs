//! What a body sees and asks, in a process of its own.

use super::{super::bodies::IDLES, *};
use crate::MemoryUsage;

#[tokio::test]
async fn every_reason_reaches_a_body_as_it_was_given() {
    let mut set = set();
    for reason in CancelReason::ALL {
        let (run, _) = set.start_to_its_point("tells_reason").await;
        set.hosts.cancel(run, reason);
        assert_eq!(set.events.finished(run).await, completed(reason.word()));
    }
}

#[tokio::test]
async fn a_callback_is_called_while_the_body_computes() {
    let mut set = set();
    let (run, _) = set.start_to_its_point("listens").await;
    set.hosts.cancel(run, CancelReason::EnergySaver);
    let heard = serde_json::json!(["energy_saver", true, 1]);
    assert_eq!(set.events.finished(run).await, completed(heard));
}

#[tokio::test]
async fn a_run_that_does_nothing_is_asked_to_stop() {
    let mut set = set();
    let mut assignment = assignment("tells_reason");
    assignment.limits.idle = Some(Duration::from_millis(200));
    let run = set.start_with(assignment);
    assert_eq!(set.events.finished(run).await, completed("idle_task"));
}

#[tokio::test]
async fn a_run_whose_process_computes_is_not_idle() {
    let mut set = set();
    let mut assignment = assignment("computes_elsewhere");
    assignment.limits.idle = Some(IDLES);
    let run = set.start_with(assignment);
    let unasked = completed(serde_json::Value::Null);
    assert_eq!(set.events.finished(run).await, unasked);
}

#[tokio::test]
async fn a_result_may_be_as_long_as_is_allowed_and_not_longer() {
    let mut set = set();
    let just = set.start_with(sized(MAX_RESULT));
    let outcome = set.events.finished(just).await;
    assert!(outcome.is_completed(), "{outcome:?}");
    let over = set.start_with(sized(MAX_RESULT + 1));
    let Outcome::Failed { error } = set.events.finished(over).await else {
        panic!("it was taken");
    };
    let expected = "its result of 1048577 bytes of JSON is over the limit of 1048576: ";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.contains("AppBuilder::max_payload"), "{error}");
}

#[tokio::test]
async fn a_body_is_told_its_limit_of_memory() {
    let mut set = set();
    let mut assignment = assignment("memory");
    assignment.place.settings.memory = Some(300 << 20);
    let run = set.start_with(assignment);
    let Outcome::Completed { value } = set.events.finished(run).await else {
        panic!("not completed");
    };
    let memory: MemoryUsage = serde_json::from_value(value).expect("memory");
    // A group that this test runs in may allow less.
    assert!(memory.limit.expect("a limit") <= 300 << 20);
    assert!(memory.used > 0 && memory.used < 300 << 20, "{memory:?}");
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
    let (run, _) = set.start_to_its_point("leaks_a_deferral").await;
    set.overruns(run).await;
}

#[tokio::test]
async fn a_body_that_left_without_a_word_is_kept_open_by_its_deferral() {
    let mut set = set();
    let run = set.start("leaks_a_deferral_in_silence");
    set.events.started(run).await;
    set.overruns(run).await;
}

impl Set {
    /// The run is over its time and its grace.
    async fn overruns(&mut self, run: RunId) {
        self.clock.pass(LIMIT).await;
        self.clock.pass(GRACE).await;
        let cause = KillCause::WallTime {
            limit: LIMIT,
            grace: GRACE,
        };
        assert_eq!(self.events.finished(run).await, killed(cause));
    }
}
