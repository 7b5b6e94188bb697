use jiff::Timestamp;
use tokio::sync::mpsc;

use super::*;
use crate::{clock::ManualClock, monitor::demand::Need};

const DOWN: Duration = Duration::from_secs(2);

fn ways<const N: usize>(links: [u32; N]) -> Word<Ways> {
    Word::Said(links.map(|link| (link, Vec::new())).into())
}

fn managed(connection: &str, connectivity: u32, metered: Option<bool>) -> Word<Managed> {
    Word::Said(Managed {
        connection: Some(connection.to_owned()),
        connectivity: Some(connectivity),
        checks: true,
        metered,
    })
}

/// What changed between two words of both: its letters, `-` for a loss.
fn differs(before: &(Word<Ways>, Word<Managed>), now: &(Word<Ways>, Word<Managed>)) -> String {
    let state = |(ways, managed): &(_, _)| State::new(ways, managed);
    let Some(differs) = state(before).differs(&state(now)) else {
        return String::new();
    };
    [
        ("connection ", differs.connection),
        ("reach ", differs.reach),
        ("cost ", differs.cost),
        ("-", differs.is_loss),
    ]
    .into_iter()
    .filter_map(|(word, is)| is.then_some(word))
    .collect()
}

#[test]
fn what_is_a_change() {
    let nothing = || Word::<Managed>::Nothing;
    let unseen = || Word::<Ways>::Nothing;
    let gateway = Word::Said(BTreeSet::from([(2, vec![10, 0, 0, 1])]));
    for (before, now, expected) in [
        ((ways([2]), nothing()), (ways([2]), nothing()), ""),
        (
            (ways([2]), nothing()),
            (ways([]), nothing()),
            "connection reach -",
        ),
        (
            (ways([]), nothing()),
            (ways([2]), nothing()),
            "connection reach ",
        ),
        (
            (ways([2]), nothing()),
            (ways([3]), nothing()),
            "connection ",
        ),
        ((ways([2]), nothing()), (gateway, nothing()), "connection "),
        (
            (ways([2, 3]), nothing()),
            (ways([3]), nothing()),
            "connection -",
        ),
        (
            (ways([3]), nothing()),
            (ways([2, 3]), nothing()),
            "connection ",
        ),
        // A manager that comes or goes is no change, unless it says otherwise.
        (
            (ways([2]), nothing()),
            (ways([2]), managed("/a", 4, Some(true))),
            "",
        ),
        (
            (ways([2]), managed("/a", 4, Some(true))),
            (ways([2]), nothing()),
            "",
        ),
        (
            (ways([2]), nothing()),
            (ways([2]), managed("/a", 2, None)),
            "reach -",
        ),
        (
            (ways([2]), managed("/a", 2, None)),
            (ways([2]), nothing()),
            "reach ",
        ),
        // It alone.
        (
            (unseen(), managed("/a", 4, None)),
            (unseen(), managed("/b", 4, None)),
            "connection ",
        ),
        (
            (unseen(), managed("/a", 4, None)),
            (unseen(), managed("/", 1, None)),
            "connection reach -",
        ),
        (
            (unseen(), managed("/", 1, None)),
            (unseen(), managed("/a", 4, None)),
            "connection reach ",
        ),
        (
            (unseen(), managed("/a", 4, Some(true))),
            (unseen(), managed("/a", 4, Some(false))),
            "cost ",
        ),
        (
            (unseen(), managed("/a", 4, Some(true))),
            (unseen(), managed("/a", 4, None)),
            "",
        ),
        // From one to another that reaches less: it is there to stay.
        (
            (unseen(), managed("/a", 4, None)),
            (unseen(), managed("/b", 2, None)),
            "connection reach ",
        ),
        ((unseen(), nothing()), (ways([2]), nothing()), ""),
    ] {
        assert_eq!(differs(&before, &now), expected, "{before:?} {now:?}");
    }
}

/// A network that is told of by hand.
struct Bench {
    clock: Arc<ManualClock>,
    ways: watch::Sender<Word<Ways>>,
    managed: watch::Sender<Word<Managed>>,
    changes: mpsc::UnboundedReceiver<Change>,
    needs: watch::Sender<Needs>,
}

impl Bench {
    /// Both have spoken.
    async fn start(ways: Word<Ways>, managed: Word<Managed>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let ways = watch::Sender::new(ways);
        let managed = watch::Sender::new(managed);
        let needs = watch::Sender::new(Needs::default());
        needs.send_modify(|needs| assert!(needs.add(Need::NetworkState)));
        let (sender, changes) = mpsc::unbounded_channel();
        let around = Surroundings {
            ways: ways.subscribe(),
            managed: managed.subscribe(),
            needs: needs.subscribe(),
            changes: sender,
            debounce_down: DOWN,
        };
        tokio::spawn(run(clock.clone(), around));
        let bench = Self {
            clock,
            ways,
            managed,
            changes,
            needs,
        };
        bench.settled().await;
        bench
    }

    /// Lets the task take in what was told: it runs on the thread of the test.
    async fn settled(&self) {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    async fn pass(&mut self, length: Duration) -> Vec<NetworkDetails> {
        self.settled().await;
        self.clock.advance(length);
        self.settled().await;
        std::iter::from_fn(|| self.changes.try_recv().ok())
            .map(|change| match change {
                Change::System {
                    event: SystemEvent::NetworkStateChange,
                    network: Some(network),
                } => network,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test]
async fn several_changes_at_once_are_one() {
    let mut bench = Bench::start(ways([]), managed("/", 1, Some(true))).await;
    bench.ways.send_replace(ways([2]));
    assert_eq!(bench.pass(SETTLE - MILLISECOND).await, []);
    bench.managed.send_replace(managed("/a", 4, Some(false)));
    let expected = NetworkDetails {
        source: "network_manager".to_owned(),
        guess: false,
        connection_changed: true,
        connectivity_changed: true,
        cost_changed: true,
    };
    assert_eq!(bench.pass(MILLISECOND).await, [expected]);
    assert_eq!(bench.pass(DOWN).await, [], "once");
    assert_eq!(bench.clock.count(), 0, "somebody waits");
}

#[tokio::test]
async fn a_loss_is_one_when_it_lasts() {
    let mut bench = Bench::start(ways([2]), Word::Nothing).await;
    bench.ways.send_replace(ways([]));
    assert_eq!(bench.pass(DOWN - MILLISECOND).await, []);
    bench.ways.send_replace(ways([2]));
    assert_eq!(bench.pass(DOWN).await, [], "it is back");
    // Another way out is there before the loss has lasted.
    bench.ways.send_replace(ways([]));
    assert_eq!(bench.pass(MILLISECOND).await, []);
    bench.ways.send_replace(ways([3]));
    let told = bench.pass(SETTLE).await;
    let expected = NetworkDetails {
        source: "netlink".to_owned(),
        guess: true,
        connection_changed: true,
        ..NetworkDetails::default()
    };
    assert_eq!(told, std::slice::from_ref(&expected));
    bench.ways.send_replace(ways([]));
    let expected = NetworkDetails {
        connectivity_changed: true,
        ..expected
    };
    assert_eq!(bench.pass(DOWN).await, [expected]);
    assert_eq!(bench.clock.count(), 0, "somebody waits");
}

#[tokio::test]
async fn what_is_so_at_first_is_no_change() {
    let mut bench = Bench::start(Word::Unheard, Word::Unheard).await;
    bench.ways.send_replace(ways([2]));
    assert_eq!(bench.pass(DOWN).await, []);
    // A portal, from the first word on.
    bench.managed.send_replace(managed("/a", 2, None));
    assert_eq!(bench.pass(DOWN).await, []);
    // What becomes known is no change, and counts from then on.
    bench.managed.send_replace(managed("/a", 2, Some(true)));
    assert_eq!(bench.pass(DOWN).await, []);
    bench.managed.send_replace(Word::Nothing);
    bench.ways.send_replace(ways([]));
    bench.settled().await;
    bench.ways.send_replace(ways([2]));
    bench.managed.send_replace(managed("/a", 2, Some(false)));
    let told = bench.pass(SETTLE).await;
    assert_eq!(told.len(), 1);
    assert!(
        told[0].cost_changed && !told[0].connectivity_changed,
        "{told:?}"
    );
}

#[tokio::test]
async fn what_nobody_needs_is_no_change_later() {
    let mut bench = Bench::start(ways([2]), Word::Nothing).await;
    bench.needs.send_replace(Needs::default());
    bench.ways.send_replace(ways([3]));
    assert_eq!(bench.pass(DOWN).await, []);
    bench.ways.send_replace(Word::Unheard);
    bench
        .needs
        .send_modify(|needs| assert!(needs.add(Need::NetworkState)));
    assert_eq!(bench.pass(DOWN).await, []);
    bench.ways.send_replace(ways([4]));
    assert_eq!(bench.pass(DOWN).await, [], "it is so at first");
    bench.ways.send_replace(ways([5]));
    assert_eq!(bench.pass(DOWN).await.len(), 1);
}
