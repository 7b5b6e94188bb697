//! Random endings, several at once, with cancellations, over starts and ends of the app: as many
//! outcomes are recorded as activations were accepted, and nobody is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::net::UnixListener,
    sync::Arc,
    time::{Duration, Instant},
};

use bgtask::{App, Outcome, Run, RunRecord, Suppression};
use libtest_mimic::Trial;
use rustix::process::Signal;
use tokio::sync::Semaphore;

use crate::{
    Place, command,
    faults::GRANDCHILDREN,
    harness::{Home, Process},
    left,
    random::Random,
    run::requested,
    tasks::{alive, end},
    trial,
    way::{Hosting, Way},
};

/// How many endings one life of the app sees.
const OF_A_LIFE: u64 = 15;
/// How many runs there are at once.
const AT_ONCE: usize = 8;
/// What a process that stays ends with instead of hanging. Nothing waits for it.
const STUCK: Duration = Duration::from_secs(30);

/// What the app is told: how many, which of them come first in this life, after which number.
const COUNT: &str = "BGTASK_ENDINGS_OF_LIFE";
const NUMBER: &str = "BGTASK_ENDINGS_NUMBER";

const TASKS: [(&str, Hosting); 5] = [
    ("many_own", Hosting::Own),
    ("many_shared", Hosting::Shared),
    ("many_again", Hosting::Shared),
    ("many_alone", Hosting::Alone),
    ("many_here", Hosting::Here),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "random_endings_are_recorded_once_each_and_nobody_is_left",
        random_endings,
    )]
}

fn random_endings() {
    let endings = number("BGTASK_ENDINGS", 50);
    let first = number("BGTASK_SEED", 20_260_101);
    println!("BGTASK_SEED={first} BGTASK_ENDINGS={endings}");
    let home = Place(Home::new());
    let grandchildren = UnixListener::bind(home.path(GRANDCHILDREN)).unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok(connection) = grandchildren.accept() {
            kept.push(connection);
        }
    });
    let mut random = Random(first);
    let mut accepted = BTreeMap::new();
    let (mut left, mut lives) = (endings, 0_u64);
    while left > 0 {
        let count = left.min(OF_A_LIFE);
        left -= count;
        lives += 1;
        let mut command = command(&home, "mixed");
        command
            .env(COUNT, count.to_string())
            .env(NUMBER, random.below(u64::MAX).to_string());
        let mut app = Process::start(command);
        take(&mut app, &mut accepted);
        // Some are under way. The last life lets them end.
        if lives % 2 == 1 {
            app.signal(Signal::KILL);
            assert_eq!(app.ends_by_signal(), 9);
            // A host that ended by itself at that very moment had nobody who ends what it started.
            nobody_is_left(&home, |process| !process.contains("(sleep)"));
            left::sweep(&home.path("."));
        } else {
            app.signal(Signal::TERM);
            app.succeeds();
        }
        nobody_is_left(&home, |_| true);
    }
    let mut last = crate::start(&home, "mixed_last");
    let history: Vec<RunRecord> = serde_json::from_str(&last.line("history ")).unwrap();
    last.succeeds();
    nobody_is_left(&home, |_| true);
    judge(&accepted, &history);
    assert_eq!(accepted.len() as u64, endings);
    println!("{endings} endings in {lives} lives of the app");
}

/// Reads what was accepted, until that is all.
fn take(app: &mut Process, accepted: &mut BTreeMap<String, (Way, Hosting)>) {
    loop {
        let line = app.line("");
        if line == "enough" {
            return;
        }
        let mut words = line.splitn(4, ' ');
        if words.next() != Some("accepted") {
            continue;
        }
        let (activation, task) = (words.next().unwrap(), words.next().unwrap());
        let way = serde_json::from_str(words.next().unwrap()).unwrap();
        let hosting = TASKS.iter().find(|(known, _)| *known == task).unwrap().1;
        accepted.insert(activation.to_owned(), (way, hosting));
    }
}

fn nobody_is_left(home: &Home, counts: fn(&String) -> bool) {
    let since = Instant::now();
    loop {
        let mut left = left::living(&home.path("."));
        left.retain(counts);
        if left.is_empty() {
            return;
        }
        assert!(since.elapsed() < STUCK, "{left:?} are left");
        std::thread::yield_now();
    }
}

fn judge(accepted: &BTreeMap<String, (Way, Hosting)>, history: &[RunRecord]) {
    let mut ended = BTreeSet::new();
    for run in history.iter().filter(|run| run.retry_at.is_none()) {
        let activation = run.activation.to_string();
        let Some((way, hosting)) = accepted.get(&activation) else {
            panic!("{activation} was not accepted: {run:?}");
        };
        assert!(
            may_end(*way, *hosting, &run.outcome),
            "{way:?} in {hosting}: {run:?}"
        );
        assert!(ended.insert(activation), "it ended twice: {run:?}");
    }
    let lost: Vec<_> = accepted
        .keys()
        .filter(|one| !ended.contains(*one))
        .collect();
    assert!(lost.is_empty(), "{lost:?} have no outcome");
}

/// As it wanted to; or it was hit, or it was asked to stop.
fn may_end(way: Way, hosting: Hosting, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Killed { .. } => hosting != Hosting::Here,
        Outcome::Cancelled { .. } => true,
        Outcome::Suppressed { why } => matches!(why, Suppression::Cancelled { .. }),
        other => *other == way.outcome(hosting),
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

pub(crate) async fn play(app: &App, name: &str) -> bool {
    match name {
        "mixed" => mix(app).await,
        "mixed_last" => last(app).await,
        _ => return false,
    }
    true
}

async fn mix(app: &App) {
    let mut random = Random(number(NUMBER, 0));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    for _ in 0..number(COUNT, 0) {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let (task, hosting) = pick(&mut random, &TASKS);
        let mut ways = hosting.ways();
        ways.retain(|way| match way {
            // It would keep a thread of the app for ever.
            Way::Spin => hosting != Hosting::Here,
            // It is of another task.
            Way::Compute => false,
            // A body that has no memory left may end in yet other ways: here it has no neighbour.
            Way::Allocate => hosting == Hosting::Alone,
            _ => true,
        });
        let way = pick(&mut random, &ways);
        let mut run = requested::<end>(app, task, way).await;
        let way = serde_json::to_string(&way).unwrap();
        println!("accepted {} {task} {way}", run.activation());
        if random.below(5) == 0 {
            cancel(app, &run, random.below(2) == 0).await;
        }
        tokio::spawn(async move {
            // An error means that the app is closing.
            let _ = run.ended().await;
            drop(place);
        });
    }
    println!("enough");
    app.run_until_shutdown().await.unwrap();
}

/// At once, or after a while: another run has come and gone.
async fn cancel(app: &App, run: &Run<end>, at_once: bool) {
    if !at_once {
        answered(app).await;
    }
    run.cancel(bgtask::CancelReason::Abort).await.unwrap();
}

async fn answered(app: &App) {
    let other = requested::<alive>(app, "alive", 1).await;
    other.completed().await.unwrap();
}

/// Lets what is left end, and hands out the history.
async fn last(app: &App) {
    while !idle(app).await {
        answered(app).await;
    }
    let mut history = app.history(None, 1_000_000).await.unwrap();
    history.retain(|run| run.task.starts_with("many"));
    println!("history {}", serde_json::to_string(&history).unwrap());
}

async fn idle(app: &App) -> bool {
    for (task, _) in TASKS {
        let why = app.why(task).await.unwrap();
        if why.waiting > 0 || !why.running.is_empty() {
            return false;
        }
    }
    true
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    let at = random.below(of.len() as u64);
    of[usize::try_from(at).unwrap()]
}
