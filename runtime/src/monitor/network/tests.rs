//! Against the kernel's own network stack and a bus of our own with a stand-in for
//! NetworkManager. Each test runs again in a network namespace of its own, so that it may pull
//! cables, and nothing of the machine's own network disturbs it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bgtask_model::{Predicate, SystemEvent};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use zbus::{DynamicType, wire::Variant};

use crate::{
    Fact, NetworkDetails, Reading,
    clock::{Bell, Clock, SystemClock},
    monitor::{
        Change, MonitorConfig, Monitors,
        bench::{PATIENCE, declared, in_namespace, run},
        bus_bench::{Bus, Process},
    },
};

fn ip(arguments: &str) {
    let command: Vec<&str> = std::iter::once("ip").chain(arguments.split(' ')).collect();
    run("iproute2", &command);
}

/// Running monitors, and what they say.
struct Bench {
    changes: mpsc::UnboundedReceiver<Change>,
    clock: Arc<SystemClock>,
    bell: Arc<Bell>,
    monitors: Monitors,
    etc: TempDir,
    /// Also what is said of what costs nothing.
    costs: bool,
}

impl Bench {
    fn start(with: impl FnOnce(&mut MonitorConfig)) -> Self {
        let etc = tempfile::tempdir().expect("a folder");
        let mut config = MonitorConfig {
            etc: etc.path().to_owned(),
            tz: None,
            network_manager: false,
            debounce_down: Duration::ZERO,
            ..MonitorConfig::default()
        };
        with(&mut config);
        let bell = Bell::start().expect("a thread");
        let clock = Arc::new(SystemClock::with_bell(&bell).expect("a timer"));
        let (sender, changes) = mpsc::unbounded_channel();
        let monitors = Monitors::start(sender, clock.clone(), Some(&bell), config);
        Self {
            changes,
            clock,
            bell,
            monitors,
            etc,
            costs: false,
        }
    }

    async fn next(&mut self) -> Change {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.changes.recv()).await;
            match next.expect("a change").expect("running monitors") {
                // The machine's own clock may be set while this runs.
                Change::Clock => {}
                Change::Fact(Predicate::Unmetered, _) if !self.costs => {}
                change => break change,
            }
        }
    }

    /// The next change says this of the internet.
    async fn internet(&mut self, reading: Reading, source: &str) {
        let next = self.next().await;
        let Change::Fact(
            Predicate::Internet,
            Fact {
                reading: read,
                source: said,
                ..
            },
        ) = next
        else {
            panic!("{next:?}, not {reading:?} by {source}");
        };
        assert_eq!((read, &*said), (reading, source));
    }

    /// The next change is the edge.
    async fn available(&mut self, source: &str, guess: bool) {
        let source = source.to_owned();
        let expected = Change::System {
            event: SystemEvent::InternetAvailable,
            network: Some(NetworkDetails {
                source,
                guess,
                connectivity_changed: true,
                ..NetworkDetails::default()
            }),
        };
        assert_eq!(self.next().await, expected);
    }

    /// The next change says this of what costs nothing.
    async fn unmetered(&mut self, reading: Reading, source: &str) {
        let next = self.next().await;
        let Change::Fact(Predicate::Unmetered, fact) = next else {
            panic!("{next:?}, not {reading:?} by {source}");
        };
        assert_eq!((fact.reading, &*fact.source), (reading, source));
    }

    /// Tells of the network as a whole from now on.
    fn need_state(&self) {
        let declaration = declared("system(network_state_change)", "");
        self.monitors.demand().need(&declaration);
    }

    /// The next change of the network as a whole is of its connection, its reach, its cost.
    async fn changed(&mut self, by: &str, expected: [bool; 3]) {
        let network = loop {
            match self.next().await {
                Change::System {
                    event: SystemEvent::NetworkStateChange,
                    network,
                } => break network.expect("details"),
                // These have tests of their own.
                Change::Fact(Predicate::Internet, _) | Change::System { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        let changed = [
            network.connection_changed,
            network.connectivity_changed,
            network.cost_changed,
        ];
        let guess = by == "netlink";
        assert_eq!(
            (&*network.source, network.guess, changed),
            (by, guess, expected)
        );
    }

    /// Nothing was said: the first word is of another fact, which this changes. That one settles
    /// before it is reported, so whatever the kernel told before is through.
    async fn nothing_said(&mut self) {
        std::fs::write(self.etc.path().join("localtime"), TOKYO).expect("written");
        let next = self.next().await;
        assert!(matches!(next, Change::TimeZone(_)), "{next:?}");
    }

    /// Down, by the routes.
    async fn lost(&mut self) {
        self.internet(Reading::Guess(false), "netlink").await;
    }

    /// Up, by the routes, and the edge.
    async fn found(&mut self) {
        self.internet(Reading::Guess(true), "netlink").await;
        self.available("netlink", true).await;
    }
}

/// Two ends of a cable, both here; `v0` has an address.
fn plug_in() {
    ip("link set lo up");
    ip("link add v0 type veth peer name v1");
    ip("addr add 10.9.0.2/24 dev v0");
    ip("link set v0 up");
    ip("link set v1 up");
}

#[test]
fn every_way_to_lose_and_find_the_network() {
    in_namespace(
        "net",
        module_path!(),
        "every_way_to_lose_and_find_the_network",
        async || {
            let mut bench = Bench::start(|_| {});
            bench.lost().await;
            plug_in();
            ip("route add default via 10.9.0.1");
            bench.found().await;

            // The cable: carrier is lost, the route stays.
            ip("link set v1 down");
            bench.lost().await;
            ip("link set v1 up");
            bench.found().await;

            // The kernel drops the route with the link, and says nothing of it.
            ip("link set v0 down");
            bench.lost().await;
            ip("link set v0 up");
            ip("route add default dev v0 metric 5");
            bench.found().await;

            // A route of its own, taken back.
            ip("route del default");
            bench.lost().await;

            // IPv6, and a route in a table of its own, as VPNs have it.
            ip("-6 route add default dev v0 metric 7");
            bench.found().await;
            ip("-6 route del default dev v0 metric 7");
            bench.lost().await;
            ip("route add default dev v0 table 77");
            bench.found().await;
            ip("route flush table 77");
            bench.lost().await;

            // One way of two suffices.
            ip("link add w0 type veth peer name w1");
            ip("link set w0 up");
            ip("link set w1 up");
            ip("route add default nexthop dev v0 nexthop dev w0");
            bench.found().await;
            ip("link set v1 down");
            ip("link set w1 down");
            bench.lost().await;
            ip("link set w1 up");
            bench.found().await;

            // Everything is unplugged at once.
            ip("link del w0");
            bench.lost().await;

            // What goes nowhere is no way out.
            ip("route add blackhole default");
            ip("route add default dev lo metric 9");
            ip("link set v1 up");
            bench.nothing_said().await;
            ip("route add default dev v0 metric 3");
            bench.found().await;
        },
    );
}

#[test]
fn every_change_of_the_network_is_told_once() {
    in_namespace(
        "net",
        module_path!(),
        "every_change_of_the_network_is_told_once",
        async || {
            let mut bench = Bench::start(|_| {});
            bench.need_state();
            bench.lost().await;
            let mut changed = async |expected| bench.changed("netlink", expected).await;
            let (route, reach) = ([true, false, false], [true, true, false]);
            plug_in();
            ip("route add default via 10.9.0.1");
            changed(reach).await;
            ip("route replace default via 10.9.0.3");
            changed(route).await;
            // The cable: carrier is lost, the route stays.
            ip("link set v1 down");
            changed(reach).await;
            ip("link set v1 up");
            changed(reach).await;
            // The kernel drops the route with the address, and says nothing of it.
            ip("addr del 10.9.0.2/24 dev v0");
            changed(reach).await;
            ip("addr add 10.9.0.2/24 dev v0");
            ip("route add default via 10.9.0.1");
            changed(reach).await;
            // A second way, and the first one goes.
            ip("link add w0 type veth peer name w1");
            ip("link set w0 up");
            ip("link set w1 up");
            ip("route add default dev w0 metric 9");
            changed(route).await;
            ip("link set v0 down");
            changed(route).await;
            ip("route flush table main");
            changed(reach).await;
            // What goes nowhere is no way out.
            ip("route add blackhole default");
            bench.nothing_said().await;
        },
    );
}

#[test]
fn a_short_loss_is_not_reported() {
    in_namespace(
        "net",
        module_path!(),
        "a_short_loss_is_not_reported",
        async || {
            plug_in();
            ip("route add default via 10.9.0.1");
            let hour = Duration::from_secs(3600);
            let mut bench = Bench::start(|config| config.debounce_down = hour);
            bench.internet(Reading::Guess(true), "netlink").await;
            ip("link set v1 down");
            ip("link set v1 up");
            ip("route del default");
            bench.nothing_said().await;
        },
    );
}

/// A zone file of one type, nine hours east.
const TOKYO: &[u8] = b"TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\x7e\x90\0\0J\0";

#[test]
fn nothing_wakes_up_while_nothing_happens() {
    in_namespace(
        "net",
        module_path!(),
        "nothing_wakes_up_while_nothing_happens",
        async || {
            plug_in();
            ip("route add default via 10.9.0.1");
            let mut bench = Bench::start(|_| {});
            bench.internet(Reading::Guess(true), "netlink").await;
            let clock = Arc::clone(&bench.clock);
            let far = clock.now() + Duration::from_secs(3600);
            let mut due = clock.until(far);
            // IPv6 probes its new addresses for some seconds; the last of them is an event like any
            // other, so take the first second without one.
            let mut silent = false;
            for _ in 0..15 {
                let before = bench.bell.wakeups();
                // Silence has no event to wait for: a second of it has to do.
                let second = tokio::time::sleep(Duration::from_secs(1));
                tokio::select! {
                    () = &mut due => panic!("an hour early"),
                    () = second => {}
                }
                silent = bench.bell.wakeups() == before;
                if silent {
                    break;
                }
            }
            assert!(silent, "{:?}", bench.bell);
            // And it still listens.
            let before = bench.bell.wakeups();
            ip("route del default");
            bench.lost().await;
            assert!(bench.bell.wakeups() > before);
        },
    );
}

const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";

impl Bus {
    fn network_manager(&self) -> Process {
        self.mock("networkmanager")
    }

    /// Makes the stand-in change a property that it has, and tell.
    async fn set(&self, property: &str, value: Variant<'_>) {
        self.set_all([(property, value)]).await;
    }

    /// Several at once.
    async fn set_all<const N: usize>(&self, properties: [(&str, Variant<'_>); N]) {
        let properties = HashMap::from(properties);
        self.tell("UpdateProperties", &(NETWORK_MANAGER, properties))
            .await;
    }

    /// Gives the stand-in a property that it lacks. It does not tell.
    async fn add(&self, property: &str, value: Variant<'_>) {
        self.tell("AddProperty", &(NETWORK_MANAGER, property, value))
            .await;
    }

    async fn tell(&self, method: &str, body: &(impl serde::Serialize + DynamicType)) {
        let path = "/org/freedesktop/NetworkManager";
        self.call(NETWORK_MANAGER, path, method, body).await;
    }
}

#[test]
fn network_manager_is_believed_while_it_is_there() {
    in_namespace(
        "net",
        module_path!(),
        "network_manager_is_believed_while_it_is_there",
        async || {
            plug_in();
            ip("route add default via 10.9.0.1");
            let bus = Bus::start();
            let mut bench = Bench::start(|config| {
                config.network_manager = true;
                config.system_bus = Some(bus.address.clone());
            });
            // Nobody has its name yet.
            bench.internet(Reading::Guess(true), "netlink").await;
            let manager = bus.network_manager();
            bench
                .internet(Reading::Known(true), "network_manager")
                .await;

            // A portal, while there is a route all along.
            bus.set("Connectivity", 2u32.into()).await;
            bench
                .internet(Reading::Known(false), "network_manager")
                .await;
            bus.set("Connectivity", 4u32.into()).await;
            bench
                .internet(Reading::Known(true), "network_manager")
                .await;
            bench.available("network_manager", false).await;

            // Without its check it knows no more than the routes.
            bus.add("ConnectivityCheckEnabled", true.into()).await;
            bus.set("ConnectivityCheckEnabled", false.into()).await;
            bench
                .internet(Reading::Guess(true), "network_manager")
                .await;
            bus.set("ConnectivityCheckEnabled", true.into()).await;
            bench
                .internet(Reading::Known(true), "network_manager")
                .await;
            bus.set("Connectivity", 0u32.into()).await;
            bench.internet(Reading::Guess(true), "netlink").await;
            bus.set("Connectivity", 2u32.into()).await;
            bench
                .internet(Reading::Known(false), "network_manager")
                .await;

            // It dies: the routes take over, and what it said last counts no more.
            manager.end();
            bench.found().await;
            // It comes back, with a fresh state, and is asked again.
            let manager = bus.network_manager();
            bench
                .internet(Reading::Known(true), "network_manager")
                .await;

            // The bus dies, and comes back.
            let Bus { daemon, folder, .. } = bus;
            daemon.end();
            bench.internet(Reading::Guess(true), "netlink").await;
            manager.end();
            std::fs::remove_file(folder.path().join("bus")).expect("its socket");
            let bus = Bus::start_in(folder);
            let manager = bus.network_manager();
            bench
                .internet(Reading::Known(true), "network_manager")
                .await;
            manager.end();
        },
    );
}

#[test]
fn network_manager_knows_what_the_network_costs() {
    in_namespace(
        "net",
        module_path!(),
        "network_manager_knows_what_the_network_costs",
        async || {
            plug_in();
            ip("route add default via 10.9.0.1");
            let bus = Bus::start();
            let mut bench = Bench::start(|config| {
                config.network_manager = true;
                config.system_bus = Some(bus.address.clone());
            });
            bench.costs = true;
            bench.need_state();
            bench.internet(Reading::Guess(true), "netlink").await;
            let demand = bench.monitors.demand().clone();
            demand.learn_metering().await;
            assert!(!demand.may_know_metering(), "nobody has its name");
            let manager = bus.network_manager();
            bench
                .internet(Reading::Known(true), "network_manager")
                .await;
            assert!(demand.may_know_metering());

            let by = "network_manager";
            bus.add("Metered", 0u32.into()).await;
            bus.set("Metered", 4u32.into()).await;
            bench.unmetered(Reading::Guess(true), by).await;
            bus.set("Metered", 1u32.into()).await;
            bench.unmetered(Reading::Known(false), by).await;
            bench.changed(by, [false, false, true]).await;
            bus.set("Metered", 3u32.into()).await;
            bench.unmetered(Reading::Guess(false), by).await;
            bus.set("Metered", 2u32.into()).await;
            bench.unmetered(Reading::Known(true), by).await;
            bench.changed(by, [false, false, true]).await;

            // A portal costs nothing, and is no use.
            bus.set("Connectivity", 2u32.into()).await;
            bench.internet(Reading::Known(false), by).await;
            bench.unmetered(Reading::Known(false), by).await;
            bench.changed(by, [false, true, false]).await;
            bus.set("Connectivity", 4u32.into()).await;
            bench.internet(Reading::Known(true), by).await;
            bench.available(by, false).await;
            bench.unmetered(Reading::Known(true), by).await;
            bench.changed(by, [false, true, false]).await;

            // Both at once: in between nothing is free.
            let both = |connectivity: u32, metered: u32| {
                let properties = [("Connectivity", connectivity), ("Metered", metered)];
                properties.map(|(name, value)| (name, Variant::from(value)))
            };
            bus.set_all(both(2, 2)).await;
            bench.internet(Reading::Known(false), by).await;
            bench.unmetered(Reading::Known(false), by).await;
            bench.changed(by, [false, true, false]).await;
            bus.set_all(both(4, 1)).await;
            bench.changed(by, [false, true, true]).await;
            bus.set_all(both(2, 2)).await;
            bench.changed(by, [false, true, true]).await;
            bus.set_all(both(4, 2)).await;
            bench.internet(Reading::Known(true), by).await;
            bench.available(by, false).await;
            bench.unmetered(Reading::Known(true), by).await;
            bench.changed(by, [false, true, false]).await;

            // It dies: nobody knows the cost, and the user has a word.
            manager.end();
            bench.unmetered(Reading::Unknown, by).await;
            bench.internet(Reading::Guess(true), "netlink").await;
            let (says, said) = watch::channel(true);
            bench.monitors.follow_policy(said);
            bench.unmetered(Reading::Guess(true), "policy").await;
            says.send_replace(false);
            bench.unmetered(Reading::Unknown, "policy").await;
        },
    );
}

#[tokio::test]
async fn what_can_be_started_may_know_the_cost() {
    let bus = Bus::start();
    let services = bus.folder.path().join("services");
    std::fs::create_dir(&services).expect("made");
    let service = format!("[D-BUS Service]\nName={NETWORK_MANAGER}\nExec=/bin/false\n");
    std::fs::write(services.join("manager.service"), service).expect("written");
    // The daemon reads its services again.
    let connection = zbus::conn::Builder::address(&*bus.address).build().await;
    let names = zbus::fdo::DBusProxy::new(&connection.expect("a bus")).await;
    names.expect("a bus").reload_config().await.expect("read");

    let bench = Bench::start(|config| {
        config.network = false;
        config.network_manager = true;
        config.system_bus = Some(bus.address.clone());
    });
    let demand = bench.monitors.demand();
    assert!(demand.may_know_metering(), "nobody has asked yet");
    demand.learn_metering().await;
    assert!(demand.may_know_metering());
}

#[test]
fn no_bus_is_no_news() {
    in_namespace("net", module_path!(), "no_bus_is_no_news", async || {
        let mut bench = Bench::start(|config| {
            config.network_manager = true;
            config.system_bus = Some("unix:path=/nonexistent/bus".to_owned());
        });
        bench.lost().await;
    });
}
