//! Every way to end in every hosting, one after the other in one life of the app.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bgtask::{ActivationId, App, CancelReason, Outcome, Run, Suppression};
use libtest_mimic::Trial;

use crate::{
    Place,
    faults::GRANDCHILDREN,
    harness::{Gate, Home, Visitor, gone},
    left::Left,
    run::{requested, seen},
    start,
    tasks::{GATE, RELEASED, alive, end, end_plainly, wait},
    trial,
    way::{FLOOD, Hosting, Way},
};

/// What a leak ends with instead of hanging. Nothing waits for it.
const STUCK: Duration = Duration::from_secs(30);

const HOSTINGS: [(Hosting, &str); 4] = [
    (
        Hosting::Own,
        "each_way_to_end_in_a_group_of_its_own_is_one_outcome_and_leaves_nothing",
    ),
    (
        Hosting::Shared,
        "each_way_to_end_beside_a_neighbour_is_an_outcome_for_both_and_leaves_nothing",
    ),
    (
        Hosting::Alone,
        "each_way_to_end_in_a_process_for_each_run_is_one_outcome_and_leaves_nothing",
    ),
    (
        Hosting::Here,
        "each_way_to_end_that_the_app_survives_is_one_outcome_and_leaves_nothing",
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let hostings = HOSTINGS.iter();
    hostings
        .map(|(_, name)| trial(name, || start(&Place(Home::new()), name).succeeds()))
        .collect()
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    let Some((hosting, _)) = HOSTINGS.iter().find(|(_, known)| *known == name) else {
        return false;
    };
    let mut rounds = Rounds::new(app, *hosting);
    // What is made once is made now, and each group has its process.
    for way in [Way::Return, Way::Panic] {
        rounds.round(way).await;
    }
    if *hosting != Hosting::Here {
        rounds.round(Way::Exit(0)).await;
        rounds.round(Way::Spin).await;
        rounds.round(Way::Allocate).await;
    }
    let mut least = rounds.at_rest().await;
    println!("at first {least:?}");
    for way in hosting.ways() {
        println!("{way:?}");
        rounds.round(way).await;
        least = rounds.left(&least).await;
    }
    rounds.recorded().await;
    if *hosting == Hosting::Here {
        rounds.leaked_deferral().await;
    }
    true
}

struct Rounds {
    app: App,
    hosting: Hosting,
    gate: Gate,
    grandchildren: Gate,
    /// Whatever was accepted.
    accepted: Vec<ActivationId>,
}

impl Rounds {
    fn new(app: &App, hosting: Hosting) -> Self {
        Self {
            app: app.clone(),
            hosting,
            gate: Gate::new(GATE.into()),
            grandchildren: Gate::new(GRANDCHILDREN.into()),
            accepted: Vec::new(),
        }
    }

    /// A run that ends so, and what has to follow.
    async fn round(&mut self, way: Way) {
        let hosting = self.hosting;
        let task = hosting.task(way);
        let beside = self.neighbour(&task).await;
        let mut events = self.app.events();
        let activation = self.start(&task, way).await;
        let seen = seen(&mut events, activation).await;
        assert_eq!(seen.outcome, way.outcome(hosting), "{way:?}");
        self.alive().await;

        if task == "here_plain" {
            self.still_executes(&task).await;
        }
        if way == Way::Flood {
            let last = seen.progress.unwrap();
            assert_eq!((last.done, last.total), (FLOOD, FLOOD), "{last:?}");
        }
        if matches!(way, Way::Grandchild | Way::EscapedGrandchild) {
            self.grandchildren.visitor().leaves();
        }
        let died = matches!(seen.outcome, Outcome::Killed { .. });
        assert_eq!(seen.pid == std::process::id(), hosting == Hosting::Here);
        if died {
            gone(seen.pid);
        }
        if let Some(beside) = beside {
            assert_eq!(beside.pid, seen.pid.to_string(), "they share no process");
            self.beside(beside, way).await;
        }
        // Its slot is free, and so it is after the next run. That one was alone.
        let next = self.works(&task).await;
        if died {
            assert_ne!(next, seen.pid);
            gone(next);
            self.works(&task).await;
        }
    }

    /// Has a run wait in the process that the task shares.
    async fn neighbour(&mut self, task: &str) -> Option<Neighbour> {
        let group = match (self.hosting, task) {
            (Hosting::Shared, "shared_small") => "small",
            (Hosting::Shared, _) => "shared",
            _ => return None,
        };
        let run = self.wait(group).await;
        let visitor = self.gate.visitor();
        Some(Neighbour {
            group,
            run,
            pid: visitor.said.clone(),
            visitor,
        })
    }

    /// The neighbour ends as it has to, and works again.
    async fn beside(&mut self, mut beside: Neighbour, way: Way) {
        let expected = way.beside(self.hosting, beside.group);
        if matches!(expected, Outcome::Completed { .. }) {
            beside.visitor.pass();
        }
        assert_eq!(
            beside.run.ended().await.unwrap(),
            expected,
            "beside {way:?}"
        );
        let task = neighbour_of(beside.group);
        let alone = self.app.why(task).await.unwrap().alone;
        if matches!(expected, Outcome::Killed { .. }) {
            let why = alone.unwrap();
            assert!(
                why.starts_with("its last run ended with its process"),
                "{why}"
            );
        } else {
            assert_eq!(alone, None);
        }
        for _ in 0..2 {
            let run = self.wait(beside.group).await;
            self.gate.visitor().pass();
            run.completed().await.unwrap();
        }
    }

    async fn wait(&mut self, group: &str) -> Run<wait> {
        let run = requested::<wait>(&self.app, neighbour_of(group), ()).await;
        self.accepted.push(run.activation());
        run
    }

    async fn start(&mut self, task: &str, way: Way) -> ActivationId {
        let activation = match task {
            "here_plain" => requested::<end_plainly>(&self.app, task, way)
                .await
                .activation(),
            _ => requested::<end>(&self.app, task, way).await.activation(),
        };
        self.accepted.push(activation);
        activation
    }

    /// The next run of the task completes; in which process is returned.
    async fn works(&mut self, task: &str) -> u32 {
        let mut events = self.app.events();
        let activation = self.start(task, Way::Return).await;
        let seen = seen(&mut events, activation).await;
        assert_eq!(seen.outcome, Way::Return.outcome(self.hosting), "{task}");
        seen.pid
    }

    /// A request of another task is answered.
    async fn alive(&mut self) {
        let run = requested::<alive>(&self.app, "alive", 3).await;
        self.accepted.push(run.activation());
        assert_eq!(run.completed().await.unwrap(), 3);
    }

    /// Its end is recorded, its body still executes: it keeps its slot until it returns.
    async fn still_executes(&mut self, task: &str) {
        let mut events = self.app.events();
        let waits = self.start(task, Way::Return).await;
        self.keeps_its_slot(task).await;
        RELEASED.store(true, Ordering::Relaxed);
        let seen = seen(&mut events, waits).await;
        assert_eq!(seen.outcome, Way::Return.outcome(self.hosting));
        RELEASED.store(false, Ordering::Relaxed);
    }

    async fn keeps_its_slot(&self, task: &str) {
        let why = self.app.why(task).await.unwrap();
        assert!(why.running[0].overrun, "{why}");
        assert_eq!((why.running.len(), why.waiting), (1, 1), "{why}");
    }

    /// What there is when the ends of processes were dealt with: it stays the same over some
    /// requests that are answered.
    async fn at_rest(&mut self) -> Left {
        let (mut left, mut same) = (Left::now(), 0);
        while same < 20 {
            self.alive().await;
            let now = Left::now();
            same = if now == left { same + 1 } else { 0 };
            left = now;
        }
        left
    }

    /// Waits until nothing more is left than before: each turn is a request that is answered.
    async fn left(&mut self, before: &Left) -> Left {
        let since = Instant::now();
        loop {
            let left = Left::now();
            if left.is_no_more_than(before) {
                return left;
            }
            assert!(
                since.elapsed() < STUCK,
                "{left:?} is left: {}",
                Left::told()
            );
            self.alive().await;
        }
    }

    /// Each activation has one recorded end.
    async fn recorded(&self) {
        let history = self.app.history(None, 100_000).await.unwrap();
        let mut ended: Vec<_> = history.iter().map(|run| run.activation).collect();
        let mut accepted = self.accepted.clone();
        ended.sort_unstable();
        accepted.sort_unstable();
        assert_eq!(ended, accepted);
    }

    /// A body whose deferral is lost is never done: its end is recorded, its slot is not free, and
    /// the app ends all the same.
    async fn leaked_deferral(&mut self) {
        let task = Hosting::Here.task(Way::LeakDeferral);
        let mut run = requested::<end>(&self.app, &task, Way::LeakDeferral).await;
        let over = Way::LeakDeferral.outcome(self.hosting);
        assert_eq!(run.ended().await.unwrap(), over);
        let mut waits = requested::<end>(&self.app, &task, Way::Return).await;
        self.keeps_its_slot(&task).await;
        waits.cancel(bgtask::CancelReason::Abort).await.unwrap();
        let why = Suppression::Cancelled {
            reason: CancelReason::Abort,
        };
        assert_eq!(waits.ended().await.unwrap(), Outcome::Suppressed { why });
        self.alive().await;
    }
}

fn neighbour_of(group: &str) -> &'static str {
    match group {
        "small" => "small_neighbour",
        _ => "neighbour",
    }
}

/// A run that waits beside another.
struct Neighbour {
    group: &'static str,
    run: Run<wait>,
    visitor: Visitor,
    pid: String,
}
