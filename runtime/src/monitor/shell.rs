//! Starts the monitors and feeds the hub. Dropping [`Monitors`] stops them all.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use bgtask_model::Predicate;
use futures_util::{StreamExt, stream::FuturesUnordered};
use jiff::tz::TimeZone;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Change, Changes, ConditionReporter, Demand, Reading, condition,
    hub::{Hub, Report, Settle, Source},
    machine, network,
    power::{self, PowerWatch},
    session,
    sources::{self, Sources},
    timezone,
};
use crate::{
    body::ConditionFuture,
    clock::{Bell, Clock, stepped},
};

/// A `#[background_condition]` function and its path.
pub(crate) type Condition = (&'static str, fn(ConditionReporter) -> ConditionFuture);

/// What is watched, and where.
#[derive(Clone)]
pub(crate) struct MonitorConfig {
    /// Where `localtime` and `timezone` are: `/etc`.
    pub(crate) etc: PathBuf,
    /// The value of `TZ`, which overrides `localtime` for a process. Default: that of this one.
    pub(crate) tz: Option<String>,
    /// The D-Bus address of the system bus, if it is not the usual one.
    pub(crate) system_bus: Option<String>,
    /// Where the kernel's power supplies are: `/sys/class/power_supply`.
    pub(crate) power_supplies: PathBuf,
    /// Where logind keeps what it knows of users: `/run/systemd/users`.
    pub(crate) users: PathBuf,
    /// What `~` is in a path. Default: `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// In whose file systems there should be space. Default: none.
    pub(crate) storage: Vec<PathBuf>,
    /// Where the kernel tells of the machine: `/proc`.
    pub(crate) proc: PathBuf,
    /// Where the kernel tells of waits for memory: `/proc/pressure/memory`.
    pub(crate) pressure: PathBuf,
    /// Watch the kernel's routes. Default: true.
    pub(crate) network: bool,
    /// Ask NetworkManager, where it runs. Default: true.
    pub(crate) network_manager: bool,
    /// A loss of the network that is shorter is not reported. Default: 2 s.
    pub(crate) debounce_down: Duration,
    /// A network that is there for less is not reported. Default: 0.
    pub(crate) debounce_up: Duration,
    /// The conditions of the program.
    pub(crate) conditions: Vec<Condition>,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            etc: PathBuf::from("/etc"),
            tz: std::env::var("TZ").ok().filter(|tz| !tz.is_empty()),
            system_bus: None,
            power_supplies: PathBuf::from("/sys/class/power_supply"),
            users: PathBuf::from("/run/systemd/users"),
            home: std::env::var_os("HOME")
                .map(PathBuf::from)
                .filter(|home| home.is_absolute()),
            storage: Vec::new(),
            proc: PathBuf::from("/proc"),
            pressure: machine::pressure_file(std::env::var_os(machine::PRESSURE_WATCH)),
            network: true,
            network_manager: true,
            debounce_down: Duration::from_secs(2),
            debounce_up: Duration::ZERO,
            conditions: Vec::new(),
        }
    }
}

impl fmt::Debug for MonitorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorConfig")
            .field("etc", &self.etc)
            .field("network", &self.network)
            .field("network_manager", &self.network_manager)
            .finish_non_exhaustive()
    }
}

/// Everything that watches. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Monitors {
    zone: TimeZone,
    conditions: mpsc::UnboundedSender<Condition>,
    power: PowerWatch,
    demand: Demand,
    sources: Sources,
    reports: mpsc::UnboundedSender<Report>,
    /// Aborted with it.
    tasks: JoinSet<()>,
}

impl Monitors {
    /// Starts what `config` asks for, on the current tokio runtime. Without a bell there is
    /// neither the kernel's network nor a change of the zone's files to be heard of.
    pub(crate) fn start(
        changes: Changes,
        clock: Arc<dyn Clock>,
        bell: Option<&Arc<Bell>>,
        config: MonitorConfig,
    ) -> Self {
        let (reports, inbox) = mpsc::unbounded_channel();
        let mut hub = Hub::new(config.debounce_down, config.debounce_up);
        let mut tasks = JoinSet::new();
        let bell_here = bell.map(|bell| &**bell);
        let (zone, zone_task) =
            timezone::watch(&config, bell_here, Arc::clone(&clock), changes.clone());
        tasks.spawn(zone_task);
        let (power, power_task) = power::start(
            &config,
            Arc::clone(&clock),
            reports.clone(),
            changes.clone(),
        );
        tasks.spawn(power_task);
        #[cfg(target_os = "linux")]
        let system_bus = super::bus::may_be_there(config.system_bus.as_deref());
        #[cfg(not(target_os = "linux"))]
        let system_bus = false;
        let asks = system_bus && config.network_manager;
        let metering = watch::Sender::new((!asks).then_some(false));
        let demand = Demand::new(power.clone(), system_bus, metering.subscribe());
        let around = network::Surroundings {
            config: &config,
            bell: bell_here,
            clock: &clock,
            needs: demand.needs(),
            reports: &reports,
            changes: &changes,
            metering,
        };
        for (fact, source) in network::start(around, &mut tasks) {
            hub.expect(fact, source);
        }
        for (fact, source) in session::sources() {
            hub.expect(fact, source);
        }
        tasks.spawn(session::start(
            &config,
            bell,
            Arc::clone(&clock),
            demand.needs(),
            reports.clone(),
        ));
        machine::start(&config, bell, &clock, demand.needs(), &reports, &mut tasks);
        let surroundings = sources::Surroundings {
            home: config.home,
            clock: Arc::clone(&clock),
            bell: bell.cloned(),
            changes: changes.clone(),
            #[cfg(target_os = "linux")]
            folders: Default::default(),
        };
        let (sources, sources_task) = sources::start(surroundings);
        tasks.spawn(sources_task);
        let (ask, asked) = mpsc::unbounded_channel();
        for condition in config.conditions {
            // Its other end is below.
            let _ = ask.send(condition);
        }
        let watched = condition::watch(asked, Arc::clone(&clock), reports.clone());
        tasks.spawn(watched);
        tasks.spawn(steps(clock.steps(), changes.clone()));
        tasks.spawn(run(hub, clock, inbox, changes));
        Self {
            zone,
            conditions: ask,
            power,
            demand,
            sources,
            reports,
            tasks,
        }
    }

    /// The local zone at the start: later ones come as [`Change::TimeZone`].
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Where to ask for more of the program's conditions; one that is watched already goes on.
    pub(crate) fn conditions(&self) -> mpsc::UnboundedSender<Condition> {
        self.conditions.clone()
    }

    /// Asks for what registrations need to be watched; nothing does before.
    pub(crate) fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Takes what the user says of a network of which nobody can tell what it costs.
    pub(crate) fn follow_policy(&mut self, unknown_metering: watch::Receiver<bool>) {
        let reports = self.reports.clone();
        self.tasks
            .spawn(network::follow_policy(unknown_metering, reports));
    }

    /// Asks for the power to be watched; nothing does before.
    pub(crate) fn power(&self) -> &PowerWatch {
        &self.power
    }

    /// Says which sources of their own registrations wait for; nothing is watched before.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Says what a fact is, above every source; `Unknown` gives it back to them. Taken by the
    /// control socket and by tests, never by a monitor.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests say what is true; nothing else may yet")
    )]
    pub(crate) fn inject(&self, fact: &Predicate, holds: Reading) {
        let (fact, opposite) = fact.base();
        let reading = match holds {
            Reading::Guess(value) => Reading::Guess(value != opposite),
            Reading::Known(value) => Reading::Known(value != opposite),
            Reading::Unknown => Reading::Unknown,
        };
        let source = Source::Injected;
        // The hub ends only with its owner, or when nobody takes changes any more.
        let _ = self.reports.send(Report {
            fact,
            source,
            reading: Some(reading),
        });
    }
}

/// The hub's loop: words in, changes out, debounces in between.
async fn run(
    mut hub: Hub,
    clock: Arc<dyn Clock>,
    mut inbox: mpsc::UnboundedReceiver<Report>,
    changes: Changes,
) {
    let mut settles = FuturesUnordered::new();
    loop {
        let said = tokio::select! {
            report = inbox.recv() => {
                let Some(report) = report else { return };
                let (said, settle) = hub.report(clock.now(), &report);
                settles.extend(settle.map(|settle| settled(&*clock, settle)));
                said
            }
            Some(settle) = settles.next() => hub.settle(&settle),
        };
        for change in said {
            if let Change::Fact(fact, is) = &change {
                tracing::debug!(%fact, reading = ?is.reading, source = is.source, "fact");
            }
            if changes.send(change).is_err() {
                return;
            }
        }
    }
}

async fn settled(clock: &dyn Clock, settle: Settle) -> Settle {
    clock.awake(settle.after).await;
    settle
}

/// Passes the clock's steps on.
async fn steps(mut steps: watch::Receiver<u64>, changes: Changes) {
    loop {
        stepped(&mut steps).await;
        if changes.send(Change::Clock).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use bgtask_model::SystemEvent;
    use jiff::Timestamp;

    use super::*;
    use crate::{Fact, NetworkDetails, clock::ManualClock};

    fn config(conditions: Vec<Condition>) -> MonitorConfig {
        MonitorConfig {
            etc: PathBuf::from("/nonexistent"),
            tz: None,
            network: false,
            network_manager: false,
            conditions,
            ..MonitorConfig::default()
        }
    }

    fn fact(fact: Predicate, value: bool, source: &str, second: i64) -> Option<Change> {
        let is = Fact {
            reading: Reading::Known(value),
            source: source.to_owned(),
            since: Timestamp::from_second(second).expect("a valid second"),
        };
        Some(Change::Fact(fact, is))
    }

    #[tokio::test]
    async fn a_loss_is_shown_when_it_lasts() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (sender, mut changes) = mpsc::unbounded_channel();
        let monitors = Monitors::start(sender, clock.clone(), None, config(Vec::new()));
        assert_eq!(monitors.zone(), &TimeZone::UTC);

        monitors.inject(&Predicate::Internet, Reading::Known(true));
        let shown = fact(Predicate::Internet, true, "injected", 0);
        assert_eq!(changes.recv().await, shown);
        clock.advance(Duration::from_secs(5));
        monitors.inject(&Predicate::NoInternet, Reading::Known(true));
        clock.waiting(1).await;
        clock.advance(Duration::from_secs(2));
        let shown = fact(Predicate::Internet, false, "injected", 5);
        assert_eq!(changes.recv().await, shown);
        monitors.inject(&Predicate::Internet, Reading::Known(true));
        let shown = fact(Predicate::Internet, true, "injected", 7);
        assert_eq!(changes.recv().await, shown);
        let edge = Change::System {
            event: SystemEvent::InternetAvailable,
            network: Some(NetworkDetails {
                source: "injected".to_owned(),
                guess: false,
                connectivity_changed: true,
                ..NetworkDetails::default()
            }),
        };
        assert_eq!(changes.recv().await, Some(edge));
    }

    #[tokio::test]
    async fn conditions_are_facts_and_injection_outranks_them() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let (sender, mut changes) = mpsc::unbounded_channel();
        let ready: Condition = ("app::ready", |report| {
            Box::pin(async move {
                report.set(true);
                std::future::pending().await
            })
        });
        let monitors = Monitors::start(sender, clock, None, config(vec![ready]));
        let ready = Predicate::User("app::ready".to_owned());
        let by = |source, value| fact(ready.clone(), value, source, 0);
        assert_eq!(changes.recv().await, by("condition", true));
        monitors.inject(&ready, Reading::Known(false));
        assert_eq!(changes.recv().await, by("injected", false));
        monitors.inject(&ready, Reading::Unknown);
        assert_eq!(changes.recv().await, by("condition", true));

        drop(monitors);
        assert_eq!(changes.recv().await, None, "everything has ended");
    }
}
