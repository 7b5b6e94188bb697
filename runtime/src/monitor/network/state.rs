//! Changes of the network as a whole: another connection, another reach, another cost. Several at
//! once are one change, and one that is taken back while it settles is none.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bgtask_model::SystemEvent;
use futures_util::{StreamExt, future::MaybeDone, stream::FuturesUnordered};
use tokio::sync::watch;

use super::routes::Way;
use crate::{
    NetworkDetails,
    clock::{Clock, Wait},
    monitor::{Change, Changes, demand::Needs, hub::Source},
};

/// What changes together is not told in one breath.
const SETTLE: Duration = Duration::from_millis(100);

/// What a source said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word<T> {
    /// It did not speak yet.
    Unheard,
    /// It does not know, or is not there.
    Nothing,
    Said(T),
}

impl<T> Word<T> {
    fn said(&self) -> Option<&T> {
        match self {
            Self::Said(said) => Some(said),
            Self::Unheard | Self::Nothing => None,
        }
    }
}

/// The kernel's usable default routes.
pub(super) type Ways = BTreeSet<Way>;

/// What NetworkManager knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Managed {
    /// The path of the connection that the default route goes out of; `/` if there is none.
    pub(super) connection: Option<String>,
    /// `NMConnectivityState`.
    pub(super) connectivity: Option<u32>,
    /// It tries what can be reached.
    pub(super) checks: bool,
    pub(super) metered: Option<bool>,
}

/// What is so now, as far as anybody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    ways: Option<Ways>,
    connection: Option<String>,
    /// As `NMConnectivityState` has it: 1 is nothing, 4 is everything.
    reach: Option<u32>,
    metered: Option<bool>,
}

/// The change from one state to another. What is not known in one of them is no change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Differs {
    connection: bool,
    reach: bool,
    cost: bool,
    /// Something is gone and nothing new is there, so that it may come back.
    is_loss: bool,
}

impl State {
    fn new(ways: &Word<Ways>, managed: &Word<Managed>) -> Self {
        let managed = managed.said();
        let ways = ways.said();
        let guess = ways.map(|ways| if ways.is_empty() { 1 } else { 4 });
        Self {
            ways: ways.cloned(),
            connection: managed.and_then(|managed| managed.connection.clone()),
            reach: managed.and_then(|managed| managed.connectivity).or(guess),
            metered: managed.and_then(|managed| managed.metered),
        }
    }

    fn differs(&self, now: &Self) -> Option<Differs> {
        fn other<T: PartialEq>(before: &Option<T>, now: &Option<T>) -> bool {
            before.is_some() && now.is_some() && before != now
        }
        let connection = other(&self.ways, &now.ways) || other(&self.connection, &now.connection);
        let reach = other(&self.reach, &now.reach);
        let cost = other(&self.metered, &now.metered);
        let less = reach && now.reach < self.reach;
        let fewer = match (&self.ways, &now.ways) {
            (Some(before), Some(now)) => now.is_subset(before),
            _ => true,
        };
        let is_gone = now.connection.as_deref().is_none_or(|path| path == "/");
        let is_other = other(&self.connection, &now.connection) && !is_gone;
        let any = connection || reach || cost;
        any.then_some(Differs {
            connection,
            reach,
            cost,
            is_loss: (less || connection && fewer) && !is_other,
        })
    }

    /// Takes over what is known now.
    fn follow(&mut self, now: Self) {
        self.ways = now.ways.or(self.ways.take());
        self.connection = now.connection.or(self.connection.take());
        self.reach = now.reach.or(self.reach);
        self.metered = now.metered.or(self.metered);
    }
}

/// Who tells, and who wants to hear.
pub(super) struct Surroundings {
    pub(super) ways: watch::Receiver<Word<Ways>>,
    pub(super) managed: watch::Receiver<Word<Managed>>,
    pub(super) needs: watch::Receiver<Needs>,
    pub(super) changes: Changes,
    /// A loss that is shorter is no change.
    pub(super) debounce_down: Duration,
}

/// Tells of changes once somebody needs that.
pub(super) async fn run(clock: Arc<dyn Clock>, around: Surroundings) {
    let Surroundings {
        mut ways,
        mut managed,
        mut needs,
        changes,
        debounce_down,
    } = around;
    if needs.wait_for(|needs| needs.network_state).await.is_err() {
        // Nobody is left who could need it.
        return;
    }
    let heard = ways.wait_for(|ways| *ways != Word::Unheard).await.is_ok()
        && managed
            .wait_for(|managed| *managed != Word::Unheard)
            .await
            .is_ok();
    if !heard {
        return;
    }
    let mut told = State::new(&ways.borrow_and_update(), &managed.borrow_and_update());
    let mut settles = Settles::default();
    loop {
        tokio::select! {
            () = changed(&mut ways) => {}
            () = changed(&mut managed) => {}
            () = settles.next() => {}
        }
        let manager = managed.borrow_and_update().clone();
        let now = State::new(&ways.borrow_and_update(), &manager);
        let Some(differs) = told.differs(&now) else {
            told.follow(now);
            settles = Settles::default();
            continue;
        };
        if !settles.are_over(&*clock, differs.is_loss, debounce_down) {
            continue;
        }
        settles = Settles::default();
        told.follow(now);
        let change = Change::System {
            event: SystemEvent::NetworkStateChange,
            network: Some(details(differs, manager.said())),
        };
        if changes.send(change).is_err() {
            return;
        }
    }
}

/// Waits for another word.
async fn changed<T>(word: &mut watch::Receiver<Word<T>>) {
    if word.changed().await.is_err() {
        // It has spoken its last.
        std::future::pending().await
    }
}

/// The waits that are under way.
#[derive(Default)]
struct Settles<'c> {
    loss: Option<MaybeDone<Wait<'c>>>,
    other: Option<MaybeDone<Wait<'c>>>,
}

impl<'c> Settles<'c> {
    /// Whether a loss, or something else, has lasted long enough; begins to wait if nobody did.
    fn are_over(&mut self, clock: &'c dyn Clock, is_loss: bool, debounce_down: Duration) -> bool {
        let begin = |length| MaybeDone::Future(clock.awake(length));
        let settle = if is_loss {
            self.other = None;
            self.loss.get_or_insert_with(|| begin(debounce_down))
        } else {
            self.other.get_or_insert_with(|| begin(SETTLE))
        };
        matches!(settle, MaybeDone::Done(()))
    }

    /// Waits for the next of them to be over.
    async fn next(&mut self) {
        let waits = [&mut self.loss, &mut self.other].into_iter().flatten();
        let waits = waits.filter(|wait| matches!(wait, MaybeDone::Future(_)));
        let over = waits.collect::<FuturesUnordered<_>>().next().await;
        if over.is_none() {
            std::future::pending().await
        }
    }
}

fn details(differs: Differs, manager: Option<&Managed>) -> NetworkDetails {
    let source = match manager {
        Some(_) => Source::NetworkManager,
        None => Source::Netlink,
    };
    NetworkDetails {
        source: source.name().to_owned(),
        guess: !manager.is_some_and(|manager| manager.checks),
        connection_changed: differs.connection,
        connectivity_changed: differs.reach,
        cost_changed: differs.cost,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::ManualClock;

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
    }

    impl Bench {
        /// Both have spoken.
        async fn start(ways: Word<Ways>, managed: Word<Managed>) -> Self {
            let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
            let ways = watch::Sender::new(ways);
            let managed = watch::Sender::new(managed);
            let needs = watch::Sender::new(Needs {
                network_state: true,
                ..Needs::default()
            });
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
}
