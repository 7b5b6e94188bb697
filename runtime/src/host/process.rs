//! Runs bodies in processes of the app's own executable, one per resource group.

use std::{
    collections::HashMap,
    ffi::OsString,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Assignment, Host, HostEvent, Place,
    report::Report,
    runner::{MAX_DEPTH, fits},
    supervisor::{Order, Supervisor},
    thread::SupervisorThread,
};
use crate::{CancelReason, Outcome, RunId, clock::Clock};

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
    /// A host without a run for so long is ended.
    pub(crate) idle: Duration,
}

impl ProcessConfig {
    pub(crate) fn new(app_id: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            exe: PathBuf::from("/proc/self/exe"),
            args: Vec::new(),
            env_names: Vec::new(),
            envs: Vec::new(),
            idle: Duration::from_secs(30),
        }
    }
}

/// The hosts of tasks with `host = process`. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct ProcessHosts {
    config: Arc<ProcessConfig>,
    events: mpsc::UnboundedSender<HostEvent>,
    clock: Arc<dyn Clock>,
    supervisors: SupervisorThread,
    /// Of each place that is shared.
    shared: Mutex<HashMap<Place, mpsc::UnboundedSender<Order>>>,
}

impl ProcessHosts {
    /// No process is spawned yet.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn new(
        config: ProcessConfig,
        events: mpsc::UnboundedSender<HostEvent>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        Ok(Self {
            config: Arc::new(config),
            events,
            clock,
            supervisors: SupervisorThread::start()?,
            shared: Mutex::default(),
        })
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, HashMap<Place, mpsc::UnboundedSender<Order>>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn supervise(&self, place: &Place) -> mpsc::UnboundedSender<Order> {
        let (orders, taken) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(
            Arc::clone(&self.config),
            place.clone(),
            Arc::clone(&self.clock),
            taken,
        );
        self.supervisors.spawn_to_its_end(supervisor.serve());
        orders
    }
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
        let orders = self
            .shared()
            .entry(assignment.place.clone())
            .or_insert_with(|| self.supervise(&assignment.place))
            .clone();
        // A supervisor that is gone drops the report, which is the run's end.
        let _ = orders.send(Order::Start(Box::new(assignment), report));
    }

    fn cancel(&self, run: RunId, reason: CancelReason) {
        // Places are few, and only one of them knows the run.
        for orders in self.shared().values() {
            let _ = orders.send(Order::Cancel(run, reason));
        }
    }
}
