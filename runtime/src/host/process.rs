//! Runs bodies in processes of the app's own executable: one per resource group, or per run.

use std::{
    collections::HashMap,
    ffi::OsString,
    num::NonZero,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Assignment, Host, HostEvent, Place, Share,
    report::Report,
    runner::{MAX_DEPTH, fits},
    supervision::Supervision,
    supervisor::{Order, Supervisor},
};
use crate::{
    CancelReason, Outcome, RunId,
    clock::Clock,
    task::{DataReader, NoData},
};

/// How hosts are spawned and kept.
#[derive(Clone, Debug)]
pub(crate) struct ProcessConfig {
    pub(crate) app_id: String,
    /// The program. The default is this very one, even when its file was replaced meanwhile.
    pub(crate) exe: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// What hosts get of the app's environment beside what all get; `*` at the end stands for any
    /// rest.
    pub(crate) env_names: Vec<String>,
    /// Added to the environment.
    pub(crate) envs: Vec<(OsString, OsString)>,
    /// The bus of the user's service manager; the session's own without.
    pub(crate) session_bus: Option<String>,
    /// A host without a run for so long is ended.
    pub(crate) idle: Duration,
    /// Where the app's data is read for them.
    pub(crate) data: Arc<dyn DataReader>,
    /// The threads on which the bodies of a host run.
    pub(crate) workers: usize,
}

impl ProcessConfig {
    pub(crate) fn new(app_id: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            exe: PathBuf::from("/proc/self/exe"),
            args: Vec::new(),
            env_names: Vec::new(),
            envs: Vec::new(),
            session_bus: None,
            idle: Duration::from_secs(30),
            data: Arc::new(NoData),
            workers: std::thread::available_parallelism().map_or(2, NonZero::get),
        }
    }
}

/// The hosts of tasks with `host = process`. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct ProcessHosts {
    config: Arc<ProcessConfig>,
    events: mpsc::UnboundedSender<HostEvent>,
    clock: Arc<dyn Clock>,
    supervision: Supervision,
    supervised: Arc<Mutex<Supervised>>,
}

/// Where orders are sent.
#[derive(Debug, Default)]
struct Supervised {
    /// Of each place that is shared. They stay: places are few.
    shared: HashMap<Place, mpsc::UnboundedSender<Order>>,
    /// Of each run that has its process to itself. They end with it.
    alone: HashMap<RunId, mpsc::UnboundedSender<Order>>,
}

impl ProcessHosts {
    /// No process is spawned yet.
    pub(crate) fn new(
        config: ProcessConfig,
        events: mpsc::UnboundedSender<HostEvent>,
        clock: Arc<dyn Clock>,
        supervision: Supervision,
    ) -> Self {
        Self {
            config: Arc::new(config),
            events,
            clock,
            supervision,
            supervised: Arc::default(),
        }
    }

    /// The number of runs that are known to have a process to themselves.
    #[cfg(test)]
    pub(super) fn alone(&self) -> usize {
        lock(&self.supervised).alone.len()
    }

    /// Whoever supervises the place of a run.
    fn supervisor_of(&self, run: RunId, place: &Place) -> mpsc::UnboundedSender<Order> {
        let mut supervised = lock(&self.supervised);
        if place.share != Share::Alone {
            // A supervisor that failed is replaced.
            supervised.shared.retain(|_, orders| !orders.is_closed());
            let shared = supervised.shared.entry(place.clone());
            return shared
                .or_insert_with(|| {
                    let (orders, supervisor) = self.supervisor(place);
                    self.supervision.spawn_to_its_end(supervisor.serve());
                    orders
                })
                .clone();
        }
        let (orders, supervisor) = self.supervisor(place);
        supervised.alone.insert(run, orders.clone());
        // Not kept alive from there: the orders' end is what ends a supervisor.
        let supervised = Arc::downgrade(&self.supervised);
        self.supervision.spawn_to_its_end(async move {
            supervisor.serve().await;
            if let Some(supervised) = supervised.upgrade() {
                lock(&supervised).alone.remove(&run);
            }
        });
        orders
    }

    fn supervisor(&self, place: &Place) -> (mpsc::UnboundedSender<Order>, Supervisor) {
        let (orders, taken) = mpsc::unbounded_channel();
        let config = Arc::clone(&self.config);
        let clock = Arc::clone(&self.clock);
        (orders, Supervisor::new(config, place.clone(), clock, taken))
    }
}

fn lock(supervised: &Mutex<Supervised>) -> MutexGuard<'_, Supervised> {
    supervised.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host for ProcessHosts {
    fn start(&self, assignment: Assignment) {
        let mut report = Report::new(assignment.run, self.events.clone());
        let arguments = assignment.details.arguments.as_ref();
        if !arguments.is_none_or(|value| fits(value, MAX_DEPTH)) {
            report.end(Outcome::Failed {
                error: format!("its arguments are nested deeper than {MAX_DEPTH} levels"),
            });
            return;
        }
        let orders = self.supervisor_of(assignment.run, &assignment.place);
        // A supervisor that is gone drops the report, which is the run's end.
        let _ = orders.send(Order::Start(Box::new(assignment), report));
    }

    fn cancel(&self, run: RunId, reason: CancelReason) {
        let supervised = lock(&self.supervised);
        if let Some(orders) = supervised.alone.get(&run) {
            let _ = orders.send(Order::Cancel(run, reason));
            return;
        }
        // Only one of them knows the run.
        for orders in supervised.shared.values() {
            let _ = orders.send(Order::Cancel(run, reason));
        }
    }
}
