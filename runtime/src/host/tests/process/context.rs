//! What a body sees and asks, in a process of its own.

use super::{super::bodies::IDLES, *};

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
    assignment.limits.idle = Some(Duration::from_millis(40));
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
