//! What a body sees and asks, in a process of its own.

use super::*;

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
