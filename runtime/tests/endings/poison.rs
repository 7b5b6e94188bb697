//! A body that ends its process each time, in a group with others.

use std::path::Path;

use bgtask::{
    App, EventKind, KillCause, Outcome, Run, RunRecord,
    inspect::{Request, Response, connect},
    prelude::*,
};
use futures_util::future::join_all;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::{
    Place,
    harness::{APP, Gate, Home, visit_async},
    run::requested,
    start,
    tasks::alive,
    trial,
};

/// Where the two come to, in the working directory.
const POISON: &str = "poison";
const HEALTHY: &str = "healthy";

const ALONE: &str = "its last run ended with its process (signal 6 (abort))";

/// What a run of it does at its end.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Dose {
    None,
    /// Its first attempt fails.
    Weak,
    /// It ends its process.
    Deadly,
}

#[background_task(name = "poison", trigger = application, host = process("pond"), overlap = allow(2), retry(max = 3, backoff = fixed("1ms")))]
async fn poison(task: TaskContext, Args(dose): Args<Dose>) -> Result<(), &'static str> {
    let say = format!("{} {}", std::process::id(), task.attempt());
    visit_async(Path::new(POISON), &say).await;
    match dose {
        Dose::Deadly => std::process::abort(),
        Dose::Weak if task.attempt() == 1 => Err("the first attempt fails"),
        Dose::Weak | Dose::None => Ok(()),
    }
}

#[background_task(name = "healthy", trigger = application, host = process("pond"), overlap = allow(8))]
async fn healthy() {
    visit_async(Path::new(HEALTHY), &std::process::id().to_string()).await;
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "what_ends_its_process_again_takes_its_neighbours_along_once",
            || {
                let home = Place(Home::new());
                start(&home, "poison").succeeds();
                start(&home, "many_others").succeeds();
                start(&home, "poison_later").succeeds();
            },
        ),
        trial(
            "an_attempt_after_one_that_ended_its_process_is_alone_after_a_restart_too",
            killed_between,
        ),
    ]
}

/// The last outcome of the task is good, and that of the activation that is tried again is not.
fn killed_between() {
    let home = Place(Home::new());
    let poisoned = Gate::new(home.path(POISON));
    let at_work = Gate::new(home.path(HEALTHY));
    let mut app = start(&home, "poison_is_interrupted");
    poisoned.visitor().pass();
    let mut both = [poisoned.visitor(), poisoned.visitor()];
    both.sort_unstable_by_key(|visitor| visitor.said.ends_with(" 2"));
    let [harmless, again] = both;
    assert!(harmless.said.ends_with(" 1") && again.said.ends_with(" 2"));
    harmless.pass();
    app.line("well");
    app.signal(Signal::KILL);
    assert_eq!(app.ends_by_signal(), 9);
    again.leaves();

    let app = start(&home, "poison_goes_on");
    let third = poisoned.visitor();
    let (pid, attempt) = third.said.split_once(' ').unwrap();
    // The start that was lost with the app counts.
    assert_eq!(attempt, "3");
    let neighbour = at_work.visitor();
    assert_ne!(neighbour.said, pid);
    third.pass();
    poisoned.visitor().pass();
    neighbour.pass();
    app.succeeds();
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "poison" => once(app).await,
        "many_others" => many_others(app).await,
        "poison_later" => later(app).await,
        "poison_is_interrupted" => {
            let mut events = app.events();
            let _poison = requested::<poison>(app, "poison", Dose::Deadly).await;
            while why_alone(app, "poison").await.is_none() {
                events.next().await.unwrap();
            }
            let harmless = requested::<poison>(app, "poison", Dose::None).await;
            harmless.completed().await.unwrap();
            assert_eq!(why_alone(app, "poison").await, None);
            println!("well");
            app.run_until_shutdown().await.unwrap();
        }
        "poison_goes_on" => {
            let mut events = app.events();
            let neighbour = requested::<healthy>(app, "healthy", ()).await;
            neighbour.completed().await.unwrap();
            while history(app, "poison").await[0].retry_at.is_some()
                || history(app, "poison").await[0].attempt < 4
            {
                events.next().await.unwrap();
            }
        }
        _ => return false,
    }
    true
}

/// Four attempts end their process; of twenty runs beside them one is hit.
async fn once(app: &App) {
    let (poisoned, at_work) = (gate(POISON), gate(HEALTHY));
    let mut poison = requested::<poison>(app, "poison", Dose::Deadly).await;
    let at = poisoned.visitor();
    let mut hit = requested::<healthy>(app, "healthy", ()).await;
    let beside = at_work.visitor();
    assert_eq!(at.said, format!("{} 1", beside.said));
    at.pass();
    assert_eq!(hit.ended().await.unwrap(), aborted());
    assert_eq!(why_alone(app, "healthy").await.as_deref(), Some(ALONE));

    for attempt in 2..=4 {
        let at = poisoned.visitor();
        let (pid, said) = at.said.split_once(' ').unwrap();
        assert_eq!(said, attempt.to_string());
        if attempt == 2 {
            alone_once(app, &at_work, pid).await;
        }
        let (mut runs, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            runs.push(requested::<healthy>(app, "healthy", ()).await);
            beside.push(at_work.visitor());
        }
        assert!(beside.iter().all(|one| one.said == beside[0].said));
        assert_ne!(beside[0].said, pid);
        let mut events = app.events();
        at.pass();
        loop {
            let event = events.next().await.unwrap();
            if matches!(event.kind, EventKind::Ended { .. }) {
                assert_eq!(event.task, "poison");
                break;
            }
        }
        beside.into_iter().for_each(crate::harness::Visitor::pass);
        for run in runs {
            run.completed().await.unwrap();
        }
    }
    assert_eq!(poison.ended().await.unwrap(), aborted());

    let tried = history(app, "poison").await;
    let attempts: Vec<_> = tried.iter().map(|run| run.attempt).collect();
    assert_eq!(attempts, [4, 3, 2, 1]);
    assert_eq!(tried[0].retry_at, None);
    let ended = history(app, "healthy").await;
    let hits = ended.iter().filter(|run| run.outcome == aborted()).count();
    assert_eq!((ended.len(), hits), (20, 1));
    listed_alone(app).await;
}

/// A gate, also where one was in the last life of the app.
fn gate(path: &str) -> Gate {
    let _ = std::fs::remove_file(path);
    Gate::new(path.into())
}

/// The first run of the one that was hit is alone too, and the only one.
async fn alone_once(app: &App, at_work: &Gate, poisoned: &str) {
    let run = requested::<healthy>(app, "healthy", ()).await;
    let visitor = at_work.visitor();
    assert_ne!(visitor.said, poisoned);
    let alone: u32 = visitor.said.parse().unwrap();
    visitor.pass();
    run.completed().await.unwrap();
    crate::harness::gone(alone);
    assert_eq!(why_alone(app, "healthy").await, None);
}

/// So many runs that the newest thousand of the history are theirs.
async fn many_others(app: &App) {
    for _ in 0..130 {
        let requests = (0..8).map(|number| requested::<alive>(app, "alive", number));
        for run in join_all(requests).await {
            run.completed().await.unwrap();
        }
    }
}

/// In a later life of the app: still alone, until a run of it ends well.
async fn later(app: &App) {
    let (poisoned, at_work) = (gate(POISON), gate(HEALTHY));
    assert_eq!(why_alone(app, "poison").await.as_deref(), Some(ALONE));
    let neighbour = requested::<healthy>(app, "healthy", ()).await;
    let beside = at_work.visitor();
    for shares in [false, true] {
        let run: Run<poison> = requested(app, "poison", Dose::None).await;
        let at = poisoned.visitor();
        assert_eq!(at.said == format!("{} 1", beside.said), shares);
        at.pass();
        run.completed().await.unwrap();
    }
    assert_eq!(why_alone(app, "poison").await, None);
    // An attempt that failed is no reason.
    let weak = requested::<poison>(app, "poison", Dose::Weak).await;
    for attempt in [1, 2] {
        let at = poisoned.visitor();
        assert_eq!(at.said, format!("{} {attempt}", beside.said));
        at.pass();
    }
    weak.completed().await.unwrap();
    beside.pass();
    neighbour.completed().await.unwrap();
}

async fn why_alone(app: &App, task: &str) -> Option<String> {
    app.why(task).await.unwrap().alone
}

async fn listed_alone(app: &App) {
    assert!(app.why("poison").await.unwrap().to_string().contains(ALONE));
    let mut live = connect(APP).await.unwrap().unwrap();
    let Response::List { tasks, .. } = live.ask(&Request::List).await.unwrap() else {
        panic!("no list");
    };
    let alone = |name: &str| {
        let task = tasks.iter().find(|one| one.task == name).unwrap();
        task.alone.as_deref()
    };
    assert_eq!((alone("poison"), alone("healthy")), (Some(ALONE), None));
}

async fn history(app: &App, task: &str) -> Vec<RunRecord> {
    app.history(Some(task), 100).await.unwrap()
}

fn aborted() -> Outcome {
    Outcome::Killed {
        cause: KillCause::Signal { signal: 6 },
    }
}
