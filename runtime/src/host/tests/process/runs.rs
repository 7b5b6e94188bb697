//! What comes back from a process, and what it is told.

use super::*;

#[tokio::test]
async fn each_way_to_return_is_the_same_outcome_as_in_process() {
    let mut set = set();
    let mut pids = Vec::new();
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
        pids.push(set.events.started(run).await);
        assert_eq!(set.events.finished(run).await, outcome, "{task}");
    }
    pids.dedup();
    assert_eq!(pids.len(), 1, "one process served them all");
    assert_ne!(pids[0], std::process::id());
}

#[tokio::test]
async fn what_just_fits_through_the_socket_does_and_what_does_not_fails_alone() {
    let mut set = set();
    let deepest = set.start("deepest");
    let outcome = set.events.finished(deepest).await;
    assert!(outcome.is_completed(), "{outcome:?}");

    let mut huge = assignment("huge");
    huge.max_result = usize::MAX;
    let huge = set.start_with(huge);
    let Outcome::Failed { error } = set.events.finished(huge).await else {
        panic!("not failed");
    };
    assert!(error.starts_with("its result cannot be sent"), "{error}");

    let mut long = assignment("value");
    long.details.arguments = Some("x".repeat(5 << 20).into());
    let long = set.start_with(long);
    let Outcome::Failed { error } = set.events.finished(long).await else {
        panic!("not failed");
    };
    assert!(error.starts_with("its arguments cannot be sent"), "{error}");

    let mut deep = assignment("value");
    deep.details.arguments =
        Some((0..200).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner])));
    let deep = set.start_with(deep);
    assert_eq!(
        set.events.finished(deep).await,
        failed("its arguments are nested deeper than 100 levels")
    );
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn a_body_knows_who_it_is() {
    let mut set = set();
    let mut assignment = assignment("who");
    assignment.attempt = 3;
    assignment.fence = u64::MAX;
    assignment.details.arguments = Some(serde_json::json!({"a": 1}));
    let expected = serde_json::json!(["who", assignment.run, 3, u64::MAX, assignment.details]);
    let run = set.start_with(assignment);
    assert_eq!(set.events.finished(run).await, completed(expected));
}

#[tokio::test]
async fn an_unknown_task_fails() {
    let mut set = set();
    let run = set.start("unheard_of");
    let error = "no task of that name is linked into this program";
    assert_eq!(set.events.finished(run).await, failed(error));
}

#[tokio::test]
async fn a_flood_of_progress_is_thinned_and_its_last_value_arrives() {
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
    assert_eq!(seen.last().expect("progress").done, 100_000);
}

#[tokio::test]
async fn a_host_that_floods_its_app_fills_one_place_in_each_run() {
    let mut set = set_of(config("floods"));
    let run = set.start("value");
    // Nobody takes an event until all are there: start, progress, end and vacating.
    eventually(|| set.events.receiver.len() == 4).await;
    set.events.started(run).await;
    assert_eq!(set.events.progress(run).await.done, 1_000);
    assert_eq!(set.events.finished(run).await, completed(7));
}
