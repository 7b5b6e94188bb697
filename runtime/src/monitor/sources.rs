//! Sources that registrations name themselves, a folder say: one for each trigger that somebody
//! waits for. A source that fails is started again; what it tells is a [`Change::Raised`].

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bgtask_model::Trigger;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

#[cfg(target_os = "linux")]
use super::{Arrival, Listener, device, files, sockets};
use super::{Change, Changes, supervised::supervised};
#[cfg(target_os = "linux")]
use crate::task::Parcel;
use crate::{
    Details,
    clock::{Bell, Clock},
};

/// Starts and ends them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sources {
    wanted: Arc<watch::Sender<HashSet<Trigger>>>,
    ready: watch::Receiver<HashSet<Trigger>>,
    failures: Arc<Failures>,
    recalled: Recalled,
}

/// The sources that cannot listen: since when, and the last error.
type Failures = Mutex<HashMap<Trigger, (Timestamp, String)>>;

/// No code of others runs under the lock, so a poisoned map is whole.
fn locked(failures: &Failures) -> MutexGuard<'_, HashMap<Trigger, (Timestamp, String)>> {
    failures.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was seen when the program ran before.
type Recalled = Arc<Mutex<HashMap<Trigger, u64>>>;

impl Sources {
    /// One that nobody serves.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        Self {
            wanted: Arc::new(watch::channel(HashSet::new()).0),
            ready: watch::channel(HashSet::new()).1,
            failures: Arc::default(),
            recalled: Recalled::default(),
        }
    }

    /// Why the source of a trigger cannot listen, and since when.
    pub(crate) fn failure(&self, trigger: &Trigger) -> Option<(Timestamp, String)> {
        locked(&self.failures).get(trigger).cloned()
    }

    /// What the sources of these triggers saw last when the program ran before, as
    /// [`Change::Looked`] said. Before they are wanted.
    pub(crate) fn recall(&self, seen: HashMap<Trigger, u64>) {
        // A panic under the lock leaves nothing half done.
        *self.recalled.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// These are the triggers that somebody waits for from now on: a source for each is started,
    /// others end. The future returns when they listen, or failed to.
    pub(crate) fn want(&self, wanted: HashSet<Trigger>) -> impl Future<Output = ()> + Send + use<> {
        self.wanted.send_if_modified(|before| {
            let is_other = *before != wanted;
            before.clone_from(&wanted);
            is_other
        });
        let mut ready = self.ready.clone();
        async move {
            // They end only with everything else.
            let _ = ready.wait_for(|ready| wanted.is_subset(ready)).await;
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&*self.wanted.borrow()).finish()
    }
}

/// Whether a trigger has a source of its own, so that it may be wanted.
pub(crate) const fn has_source(trigger: &Trigger) -> bool {
    matches!(
        trigger,
        Trigger::Files { .. } | Trigger::Device { .. } | Trigger::Socket { address: Some(_) }
    )
}

/// What sources work with.
#[derive(Clone)]
pub(super) struct Surroundings {
    /// What `~` is in a path.
    pub(super) home: Option<PathBuf>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bell: Option<Arc<Bell>>,
    pub(super) changes: Changes,
    /// What watches folders.
    #[cfg(target_os = "linux")]
    pub(super) folders: files::Shared,
}

/// Where a source puts what it has to tell.
#[derive(Clone)]
pub(super) struct Teller {
    trigger: Trigger,
    changes: Changes,
    ready: Arc<watch::Sender<HashSet<Trigger>>>,
    failures: Arc<Failures>,
    recalled: Recalled,
}

impl Teller {
    /// One whose words go there.
    #[cfg(test)]
    pub(super) fn of(trigger: Trigger, changes: Changes) -> Self {
        let ready = Arc::new(watch::Sender::default());
        Self {
            trigger,
            changes,
            ready,
            failures: Arc::default(),
            recalled: Recalled::default(),
        }
    }

    /// It listens: what happens from now on is told.
    pub(super) fn listens(&self) {
        locked(&self.failures).remove(&self.trigger);
        self.is_ready();
    }

    /// It cannot listen. Nobody is kept waiting for it.
    fn fails(&self, error: &str, now: Timestamp) {
        locked(&self.failures)
            .entry(self.trigger.clone())
            .or_insert_with(|| (now, String::new()))
            .1 = error.to_owned();
        self.is_ready();
    }

    fn is_ready(&self) {
        self.ready
            .send_if_modified(|ready| ready.insert(self.trigger.clone()));
    }

    /// Whether it did before: then it failed since, and what happened in between was not seen.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
    pub(super) fn has_listened(&self) -> bool {
        self.ready.borrow().contains(&self.trigger)
    }

    /// What was seen last when the program ran before. Once: what is no longer wanted is not seen.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
    pub(super) fn recalled(&self) -> Option<u64> {
        let mut recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        recalled.remove(&self.trigger)
    }

    /// All that was seen by now was told.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
    pub(super) fn looked(&self, sum: u64) {
        let trigger = self.trigger.clone();
        // The broker ends only with everything else.
        let _ = self.changes.send(Change::Looked { trigger, sum });
    }

    /// It happened.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no source yet"))]
    pub(super) fn raise(&self, details: Details) {
        let (trigger, details) = (self.trigger.clone(), Box::new(details));
        // The broker ends only with everything else.
        let _ = self.changes.send(Change::Raised { trigger, details });
    }

    /// A socket is there to be worked on.
    #[cfg(target_os = "linux")]
    pub(super) fn arrived(&self, arrival: Parcel<Arrival>) {
        let listener = Listener::Trigger(self.trigger.clone());
        let _ = self.changes.send(Change::Arrived { listener, arrival });
    }
}

/// A source: it ends when it can tell nothing more, or fails.
type Source = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What a trigger's source is, for each start of it.
type Start = fn(&Trigger, &Surroundings, Teller) -> Source;

/// The handle, and the future that serves it.
pub(super) fn start(
    surroundings: Surroundings,
) -> (Sources, impl Future<Output = ()> + Send + use<>) {
    serve(surroundings, source)
}

fn source(trigger: &Trigger, surroundings: &Surroundings, teller: Teller) -> Source {
    // There is no source elsewhere yet.
    #[cfg(not(target_os = "linux"))]
    let _ = (&surroundings.home, &surroundings.bell);
    match trigger {
        #[cfg(target_os = "linux")]
        Trigger::Files { path, recursive } => {
            let place = files::Place {
                path: path.clone(),
                recursive: *recursive,
                home: surroundings.home.clone(),
                bell: surroundings.bell.clone(),
                shared: surroundings.folders.clone(),
            };
            let clock = Arc::clone(&surroundings.clock);
            Box::pin(files::watch(place, clock, teller))
        }
        #[cfg(target_os = "linux")]
        Trigger::Device { changes, subsystem } => {
            let filter = device::Filter {
                changes: changes.clone(),
                subsystem: subsystem.clone(),
            };
            let (bell, clock) = (surroundings.bell.clone(), Arc::clone(&surroundings.clock));
            Box::pin(device::watch(filter, bell, clock, teller))
        }
        #[cfg(target_os = "linux")]
        Trigger::Socket {
            address: Some(address),
        } => {
            let (bell, clock) = (surroundings.bell.clone(), Arc::clone(&surroundings.clock));
            Box::pin(sockets::serve_bound(address.clone(), bell, clock, teller))
        }
        // Whatever has none is refused when it is registered.
        _ => {
            teller.listens();
            Box::pin(std::future::ready(Ok(())))
        }
    }
}

fn serve(
    surroundings: Surroundings,
    start: Start,
) -> (Sources, impl Future<Output = ()> + Send + use<>) {
    let (wanted, mut asked) = watch::channel(HashSet::new());
    let (ready, listening) = watch::channel(HashSet::new());
    let failures = Arc::<Failures>::default();
    let sources = Sources {
        wanted: Arc::new(wanted),
        ready: listening,
        failures: Arc::clone(&failures),
        recalled: Recalled::default(),
    };
    let recalled = Arc::clone(&sources.recalled);
    let ready = Arc::new(ready);
    let run = async move {
        let mut running = HashMap::new();
        loop {
            let wanted = asked.borrow_and_update().clone();
            running.retain(|trigger, _| wanted.contains(trigger));
            ready.send_if_modified(|ready| {
                let before = ready.len();
                ready.retain(|trigger| wanted.contains(trigger));
                ready.len() != before
            });
            locked(&failures).retain(|trigger, _| wanted.contains(trigger));
            for trigger in wanted {
                running.entry(trigger).or_insert_with_key(|trigger| {
                    let teller = Teller {
                        trigger: trigger.clone(),
                        changes: surroundings.changes.clone(),
                        ready: Arc::clone(&ready),
                        failures: Arc::clone(&failures),
                        recalled: Arc::clone(&recalled),
                    };
                    let kept = keep(surroundings.clone(), start, teller);
                    AbortOnDropHandle::new(tokio::spawn(kept))
                });
            }
            if asked.changed().await.is_err() {
                // Nobody is left who could wait for one.
                return;
            }
        }
    };
    (sources, run)
}

/// Keeps a source running.
async fn keep(surroundings: Surroundings, start: Start, teller: Teller) {
    let run = || start(&teller.trigger, &surroundings, teller.clone());
    let failed = |error: &str, wait| {
        let trigger = &teller.trigger;
        tracing::warn!(%trigger, error, retry = ?wait, "the source of a trigger failed");
        teller.fails(error, surroundings.clock.now());
        true
    };
    supervised(&*surroundings.clock, run, failed).await;
}

#[cfg(test)]
mod tests {
    use std::{sync::LazyLock, time::Duration};

    use jiff::Timestamp;
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::ManualClock;

    fn files(path: &str) -> Trigger {
        Trigger::Files {
            path: path.to_owned(),
            recursive: false,
        }
    }

    struct Bench {
        clock: Arc<ManualClock>,
        sources: Sources,
        told: mpsc::UnboundedReceiver<Change>,
    }

    fn bench(start: Start) -> Bench {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (changes, told) = mpsc::unbounded_channel();
        let (sources, run) = serve(
            Surroundings {
                home: None,
                clock: clock.clone(),
                bell: None,
                changes,
                #[cfg(target_os = "linux")]
                folders: files::Shared::default(),
            },
            start,
        );
        tokio::spawn(run);
        Bench {
            clock,
            sources,
            told,
        }
    }

    fn started(trigger: Trigger) -> Option<Change> {
        let details = Box::default();
        Some(Change::Raised { trigger, details })
    }

    #[tokio::test]
    async fn what_is_wanted_runs_once_and_what_is_not_ends() {
        static LEFT: LazyLock<watch::Sender<u32>> = LazyLock::new(|| watch::Sender::new(0));
        struct Leaves;
        impl Drop for Leaves {
            fn drop(&mut self) {
                LEFT.send_modify(|left| *left += 1);
            }
        }
        let mut bench = bench(|_, _, teller| {
            Box::pin(async move {
                let _leaves = Leaves;
                teller.raise(Details::default());
                teller.listens();
                std::future::pending().await
            })
        });
        let (a, b) = (files("/a"), files("/b"));
        bench.sources.want([a.clone()].into()).await;
        assert_eq!(bench.told.recv().await, started(a.clone()));
        bench.sources.want([b.clone(), a.clone()].into()).await;
        assert_eq!(bench.told.recv().await, started(b.clone()));
        bench.sources.want([b.clone()].into()).await;
        LEFT.subscribe().wait_for(|left| *left == 1).await.unwrap();
        bench.sources.want([a.clone(), b].into()).await;
        assert_eq!(bench.told.recv().await, started(a), "started anew");
        drop(bench.sources);
        LEFT.subscribe().wait_for(|left| *left == 3).await.unwrap();
        assert_eq!(bench.told.recv().await, None, "nobody is left");
    }

    #[tokio::test]
    async fn a_source_that_fails_is_started_again_and_keeps_nobody_waiting() {
        let mut bench = bench(|trigger, _, teller| {
            teller.raise(Details::default());
            match trigger {
                Trigger::Files {
                    recursive: true, ..
                } => panic!("expected by this test"),
                _ => Box::pin(async { Err("no such folder".to_owned()) }),
            }
        });
        let a = files("/a");
        bench.sources.want([a.clone()].into()).await;
        let failure = Some((Timestamp::UNIX_EPOCH, "no such folder".to_owned()));
        assert_eq!(bench.sources.failure(&a), failure);
        for wait in [100, 200] {
            assert_eq!(bench.told.recv().await, started(a.clone()));
            bench.clock.waiting(1).await;
            assert!(bench.told.try_recv().is_err(), "too early");
            bench.clock.advance(Duration::from_millis(wait));
        }
        assert_eq!(bench.told.recv().await, started(a.clone()));
        bench.clock.waiting(1).await;
        assert_eq!(bench.sources.failure(&a), failure, "since it began");
        let panics = Trigger::Files {
            path: "/a".to_owned(),
            recursive: true,
        };
        bench.sources.want([panics.clone()].into()).await;
        assert_eq!(bench.sources.failure(&a), None, "nobody wants it");
        let failure = bench.sources.failure(&panics).unwrap();
        assert_eq!(failure.1, "it panicked");
        assert_eq!(bench.told.recv().await, started(panics));
    }

    #[tokio::test]
    async fn a_source_that_listens_again_has_no_failure() {
        let mut bench = bench(|_, surroundings, teller| {
            let again = surroundings.clock.now() > Timestamp::UNIX_EPOCH;
            teller.raise(Details::default());
            Box::pin(async move {
                if !again {
                    return Err("no such folder".to_owned());
                }
                teller.listens();
                teller.raise(Details::default());
                std::future::pending().await
            })
        });
        let a = files("/a");
        bench.sources.want([a.clone()].into()).await;
        assert!(bench.sources.failure(&a).is_some());
        bench.clock.waiting(1).await;
        bench.clock.advance(Duration::from_millis(100));
        for _ in 0..3 {
            assert_eq!(bench.told.recv().await, started(a.clone()));
        }
        assert_eq!(bench.sources.failure(&a), None);
    }
}
