//! Which runs share a process.

use super::*;

#[tokio::test]
async fn two_of_a_group_share_a_process_and_one_that_spins_does_not_stop_the_other() {
    let mut set = set();
    let (spins, pid) = set.start_to_its_point("spins").await;
    let (heeds, other) = set.start_to_its_point("heeds").await;
    assert_eq!(pid, other);
    set.hosts.cancel(heeds, CancelReason::Abort);
    assert_eq!(
        set.events.finished(heeds).await,
        Outcome::Cancelled {
            reason: CancelReason::Abort,
            overrun: false
        }
    );
    let (neighbour, _) = set.start_to_its_point("forever").await;
    set.hosts.cancel(spins, CancelReason::Uninstall);
    set.clock.pass(GRACE).await;
    let cause = KillCause::Grace {
        reason: CancelReason::Uninstall,
        grace: GRACE,
    };
    assert_eq!(set.events.finished(spins).await, killed(cause));
    assert_eq!(
        set.events.finished(neighbour).await,
        lost("another run of the group `media` was killed")
    );
    assert!(is_gone(pid));
    set.the_next_one_runs().await;
}

#[tokio::test]
async fn each_run_over_its_grace_says_its_own_cause() {
    let mut set = set();
    let (first, pid) = set.start_to_its_point("ignores_terminate").await;
    let (second, _) = set.start_to_its_point("spins").await;
    let (neighbour, _) = set.start_to_its_point("forever").await;
    let reasons = [CancelReason::Abort, CancelReason::EnergySaver];
    set.hosts.cancel(first, reasons[0]);
    set.hosts.cancel(second, reasons[1]);
    set.clock.are_waiting(2, GRACE).await;
    set.clock.pass(GRACE).await;
    // The process is being ended for the first one when the second one's grace is over.
    set.clock.is_waited_for(TERM_GRACE).await;
    set.clock.pass(GRACE).await;
    set.clock.pass(TERM_GRACE).await;
    for (run, reason) in [first, second].into_iter().zip(reasons) {
        let cause = KillCause::Grace {
            reason,
            grace: GRACE,
        };
        assert_eq!(set.events.finished(run).await, killed(cause));
    }
    assert_eq!(
        set.events.finished(neighbour).await,
        lost("another run of the group `media` was killed")
    );
    assert!(is_gone(pid));
}

#[tokio::test]
async fn groups_do_not_share_a_process() {
    let mut set = set();
    let (media, pid) = set.start_to_its_point("forever").await;
    let mut other = assignment("aborts");
    other.place.share = Share::Group("mail".to_owned());
    let mail = set.start_with(other);
    assert_ne!(set.events.started(mail).await, pid);
    assert_eq!(
        set.events.finished(mail).await,
        killed(KillCause::Signal { signal: 6 })
    );
    assert!(!is_gone(pid));
    set.events.nothing_more();
    drop(set.hosts);
    assert_eq!(
        set.events.finished(media).await,
        lost("the app gave up its hosts")
    );
    assert!(is_gone(pid));
}

fn alone(task: &str) -> Assignment {
    let mut alone = assignment(task);
    alone.place.share = Share::Alone;
    alone
}

#[tokio::test]
async fn a_run_that_is_alone_has_its_process_to_itself_and_is_reached_by_cancelling() {
    let mut set = set();
    let heeds = set.start_with(alone("heeds"));
    let pid = set.events.started(heeds).await;
    set.events.progress(heeds).await;
    let aborts = set.start_with(alone("aborts"));
    assert_ne!(set.events.started(aborts).await, pid);
    assert_eq!(
        set.events.finished(aborts).await,
        killed(KillCause::Signal { signal: 6 })
    );
    set.hosts.cancel(heeds, CancelReason::Abort);
    let outcome = Outcome::Cancelled {
        reason: CancelReason::Abort,
        overrun: false,
    };
    assert_eq!(set.events.finished(heeds).await, outcome);
}

#[tokio::test]
async fn a_process_of_one_run_ends_at_once_with_it_and_nothing_of_it_is_kept() {
    let mut set = set();
    let runs = [0; 3].map(|_| set.start_with(alone("value")));
    let mut pids = Vec::new();
    for run in runs {
        pids.push(set.events.started(run).await);
        assert_eq!(set.events.finished(run).await, completed(7));
    }
    // No time passes.
    eventually(|| set.hosts.alone() == 0).await;
    assert!(pids.iter().all(|pid| is_gone(*pid)));
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 3);

    let cancelled = set_of(config("mute"));
    let run = cancelled.start_with(alone("value"));
    cancelled.hosts.cancel(run, CancelReason::Abort);
    cancelled.clock.pass(TERM_GRACE).await;
    eventually(|| cancelled.hosts.alone() == 0).await;
}

#[tokio::test]
async fn a_run_that_is_alone_ends_with_the_app() {
    let mut set = set();
    let run = set.start_with(alone("forever"));
    let pid = set.events.started(run).await;
    drop(set.hosts);
    assert_eq!(
        set.events.finished(run).await,
        lost("the app gave up its hosts")
    );
    assert!(is_gone(pid));
}

#[tokio::test]
async fn a_process_with_nothing_to_do_gives_back_its_executable() {
    let mut set = set();
    let run = set.start("value");
    let pid = set.events.started(run).await;
    set.events.finished(run).await;
    let of_files = || {
        let numbers = std::fs::read_to_string(format!("/proc/{pid}/statm")).expect("numbers");
        let number = numbers.split(' ').nth(2).expect("the pages of files");
        number.parse::<u64>().expect("a number")
    };
    let before = of_files();
    eventually(|| of_files() < before / 2).await;
    let next = set.start("value");
    assert_eq!(set.events.started(next).await, pid);
    assert!(set.events.finished(next).await.is_completed());
}
