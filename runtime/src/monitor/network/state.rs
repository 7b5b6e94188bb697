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

/// Tells of changes while somebody needs that.
pub(super) async fn run(clock: Arc<dyn Clock>, around: Surroundings) {
    let Surroundings {
        mut ways,
        mut managed,
        mut needs,
        changes,
        debounce_down,
    } = around;
    // Once nobody is left who could need it, they fail.
    while needs.wait_for(Needs::network_state).await.is_ok() {
        let heard = async {
            let _ = ways.wait_for(|ways| *ways != Word::Unheard).await?;
            let _ = managed
                .wait_for(|managed| *managed != Word::Unheard)
                .await?;
            Ok::<_, watch::error::RecvError>(())
        };
        tokio::select! {
            heard = heard => if heard.is_err() { return },
            _ = needs.wait_for(|needs| !needs.network_state()) => continue,
        }
        tokio::select! {
            () = tell(&*clock, &mut ways, &mut managed, &changes, debounce_down) => return,
            _ = needs.wait_for(|needs| !needs.network_state()) => {}
        }
    }
}

/// Tells of changes until nobody hears them.
async fn tell(
    clock: &dyn Clock,
    ways: &mut watch::Receiver<Word<Ways>>,
    managed: &mut watch::Receiver<Word<Managed>>,
    changes: &Changes,
    debounce_down: Duration,
) {
    let mut told = State::new(&ways.borrow_and_update(), &managed.borrow_and_update());
    let mut settles = Settles::default();
    loop {
        tokio::select! {
            () = changed(ways) => {}
            () = changed(managed) => {}
            () = settles.next() => {}
        }
        let manager = managed.borrow_and_update().clone();
        let now = State::new(&ways.borrow_and_update(), &manager);
        let Some(differs) = told.differs(&now) else {
            told.follow(now);
            settles = Settles::default();
            continue;
        };
        if !settles.are_over(clock, differs.is_loss, debounce_down) {
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
mod tests;
