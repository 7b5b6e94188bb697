//! Against a bus of our own with stand-ins for UPower and the daemon of power profiles, and power
//! supplies in a folder.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bgtask_model::{
    Predicate,
    SystemEvent::{PowerStateChange, WorkCostChange},
};
use jiff::Timestamp;
use tempfile::TempDir;
use zbus::wire::Variant;

use super::{supplies::tests::supply, *};
use crate::{
    Reading::{Guess, Known, Unknown},
    clock::{Bell, ManualClock, SystemClock},
    energy::WorkCost,
    monitor::{
        Monitors,
        bench::{Told, declared},
        bus_bench::Bus,
    },
};

const ALL: &str = "ac_power && battery_above(30) && battery_above(60) && battery_not_low \
    && energy_saver_off && work_cost_not_high";

/// Running monitors, and what they say.
struct Bench {
    told: Told,
    monitors: Monitors,
    supplies: TempDir,
}

impl Deref for Bench {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.told
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.told
    }
}

impl Bench {
    fn start(clock: Arc<dyn Clock>, bus: Option<&Bus>) -> Self {
        let nowhere = "unix:path=/nonexistent/bus";
        Self::start_on(clock, bus.map_or(nowhere, |bus| &bus.address))
    }

    fn start_on(clock: Arc<dyn Clock>, address: &str) -> Self {
        let supplies = tempfile::tempdir().expect("a folder");
        let config = MonitorConfig {
            etc: PathBuf::from("/nonexistent"),
            tz: None,
            network: false,
            network_manager: false,
            system_bus: Some(address.to_owned()),
            power_supplies: supplies.path().to_owned(),
            ..MonitorConfig::default()
        };
        let (sender, told) = Told::listen();
        Self {
            told,
            monitors: Monitors::start(sender, clock, None, config),
            supplies,
        }
    }

    fn battery(&self, status: &str, capacity: &str) {
        let files = [
            ("type", "Battery"),
            ("status", status),
            ("capacity", capacity),
        ];
        supply(self.supplies.path(), "BAT0", &files);
    }

    fn need(&self, condition: &str) {
        let declaration = declared("startup", condition);
        self.monitors.demand().need(&declaration);
    }
}

fn system_clock() -> (Arc<Bell>, Arc<dyn Clock>) {
    let bell = Bell::start().expect("a thread");
    let clock = SystemClock::with_bell(&bell).expect("a timer");
    (bell, Arc::new(clock))
}

const UPOWER: &str = "org.freedesktop.UPower";

impl Bus {
    async fn on_battery(&self, is: bool) {
        let properties = HashMap::from([("OnBattery", Variant::from(is))]);
        let path = "/org/freedesktop/UPower";
        self.call(UPOWER, path, "UpdateProperties", &(UPOWER, properties))
            .await;
    }

    async fn charge(&self, percent: f64) {
        let interface = "org.freedesktop.UPower.Device";
        let path = "/org/freedesktop/UPower/devices/DisplayDevice";
        let properties = HashMap::from([
            ("Type", Variant::from(2u32)),
            ("IsPresent", true.into()),
            ("Percentage", percent.into()),
        ]);
        self.call(UPOWER, path, "UpdateProperties", &(interface, properties))
            .await;
    }

    async fn profile(&self, name: &'static str) {
        let interface = "net.hadess.PowerProfiles";
        let path = "/net/hadess/PowerProfiles";
        let properties = HashMap::from([("ActiveProfile", Variant::from(name))]);
        self.call(
            interface,
            path,
            "UpdateProperties",
            &(interface, properties),
        )
        .await;
    }
}

#[tokio::test]
async fn upower_is_believed_while_it_is_there() {
    let bus = Bus::start();
    let (_bell, clock) = system_clock();
    let mut bench = Bench::start(clock, Some(&bus));
    bench.battery("Discharging", "50");
    bench.need(ALL);
    let above = Predicate::BatteryAbove;
    // Nobody has its name yet.
    bench
        .until(Predicate::EnergySaverOff, Guess(true), "power_profiles")
        .await;
    let kernel = |reading| Some((reading, "power_supply".to_owned()));
    assert_eq!(
        bench.last(&Predicate::AcPower).cloned(),
        kernel(Known(false))
    );
    assert_eq!(bench.last(&above(30)).cloned(), kernel(Known(true)));
    assert_eq!(bench.last(&above(60)).cloned(), kernel(Known(false)));
    assert_eq!(bench.events, []);

    let upower = bus.mock("upower");
    bench.until(Predicate::AcPower, Known(true), "upower").await;
    assert_eq!(bench.events, [PowerStateChange, WorkCostChange]);
    bus.charge(80.0).await;
    bench.until(above(60), Known(true), "upower").await;
    bus.on_battery(true).await;
    bench
        .until(Predicate::AcPower, Known(false), "upower")
        .await;
    bench.events.clear();
    bus.charge(55.0).await;
    bench.until(above(60), Known(false), "upower").await;
    assert_eq!(bench.events, [], "it is not low");
    bus.charge(10.0).await;
    bench
        .until(Predicate::WorkCostNotHigh, Known(false), "upower")
        .await;
    assert_eq!(bench.events, [PowerStateChange, WorkCostChange]);
    let upower_says = |reading| Some((reading, "upower".to_owned()));
    assert_eq!(
        bench.last(&Predicate::BatteryNotLow).cloned(),
        upower_says(Known(false))
    );
    bus.charge(50.0).await;
    bench
        .until(Predicate::BatteryNotLow, Known(true), "upower")
        .await;

    // It dies: the kernel says the same, and nothing changes in between.
    bench.facts.clear();
    bench.events.clear();
    upower.end();
    bench.until(above(60), Known(false), "power_supply").await;
    bench
        .until(Predicate::AcPower, Known(false), "power_supply")
        .await;
    // It comes back with a fresh state, and is asked again.
    let upower = bus.mock("upower");
    bench.until(Predicate::AcPower, Known(true), "upower").await;
    let told = &bench.facts[&Predicate::AcPower];
    let expected = [kernel(Known(false)), upower_says(Known(true))];
    assert_eq!(told.iter().cloned().map(Some).collect::<Vec<_>>(), expected);
    assert_eq!(bench.events, [PowerStateChange, WorkCostChange]);

    // The bus dies, and comes back.
    let Bus { daemon, folder, .. } = bus;
    daemon.end();
    bench
        .until(Predicate::AcPower, Known(false), "power_supply")
        .await;
    upower.end();
    std::fs::remove_file(folder.path().join("bus")).expect("its socket");
    let bus = Bus::start_in(folder);
    let upower = bus.mock("upower");
    bench.until(Predicate::AcPower, Known(true), "upower").await;
    upower.end();
}

#[tokio::test]
async fn a_profile_that_saves_power_is_the_energy_saver() {
    let bus = Bus::start();
    let (_bell, clock) = system_clock();
    let mut bench = Bench::start(clock, Some(&bus));
    bench.need("energy_saver_off");
    bench
        .until(Predicate::EnergySaverOff, Guess(true), "power_profiles")
        .await;
    let daemon = bus.mock("power_profiles_daemon");
    bench
        .until(Predicate::EnergySaverOff, Known(true), "power_profiles")
        .await;
    assert_eq!(bench.events, [], "it was guessed before");
    bus.profile("power-saver").await;
    bench
        .until(Predicate::EnergySaverOff, Known(false), "power_profiles")
        .await;
    assert_eq!(bench.events, [PowerStateChange]);
    // Nobody knows what is so without it: that is no end of saving.
    daemon.end();
    bench
        .until(Predicate::EnergySaverOff, Unknown, "power_profiles")
        .await;
    assert_eq!(bench.events, [PowerStateChange]);
    let daemon = bus.mock("power_profiles_daemon");
    bench
        .until(Predicate::EnergySaverOff, Known(true), "power_profiles")
        .await;
    assert_eq!(bench.events, [PowerStateChange, PowerStateChange]);
    daemon.end();
}

#[tokio::test]
async fn without_a_bus_the_supplies_are_looked_at_from_time_to_time() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mut bench = Bench::start(clock.clone(), None);
    bench.battery("Discharging", "31");
    bench.need("battery_above(30)");
    let above = Predicate::BatteryAbove(30);
    bench
        .until(above.clone(), Known(true), "power_supply")
        .await;
    bench.battery("Discharging", "30");
    clock.waiting(1).await;
    clock.advance(Duration::from_secs(29));
    assert!(bench.changes.try_recv().is_err(), "too early");
    clock.advance(Duration::from_secs(1));
    bench
        .until(above.clone(), Known(false), "power_supply")
        .await;

    // More is needed: it is read at once.
    bench.need("battery_above(10)");
    bench
        .until(Predicate::BatteryAbove(10), Known(true), "power_supply")
        .await;
    let power = bench.monitors.power().current().await;
    assert_eq!(power.charge, Some(30.0));
    assert_eq!(power.work_cost(), Some(WorkCost::Medium));
}

#[tokio::test]
async fn without_a_battery_nothing_is_looked_at_again() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mut bench = Bench::start(clock.clone(), None);
    bench.need(ALL);
    bench
        .until(Predicate::BatteryAbove(30), Guess(true), "power_supply")
        .await;
    let power = bench.monitors.power().current().await;
    assert_eq!(power.work_cost(), Some(WorkCost::Low));
    assert_eq!(clock.count(), 0, "somebody waits");
}

#[tokio::test]
async fn nothing_is_asked_before_somebody_needs_it() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("bus");
    let bus = UnixListener::bind(&socket).expect("a socket");
    bus.set_nonblocking(true).expect("told");
    let address = format!("unix:path={}", socket.display());
    let mut bench = Bench::start_on(clock, &address);
    bench.battery("Discharging", "31");
    bench.need("internet && app::ready");
    bench.monitors.demand().need(&declared("time(15)", ""));
    // Another fact goes all the way while this one does not.
    let present = Predicate::UserPresent;
    bench.monitors.inject(&present, Known(true));
    bench.until(present.clone(), Known(true), "injected").await;
    assert_eq!(bench.facts.len(), 1);
    assert!(bench.monitors.power().now.borrow().is_none());
    assert!(bus.accept().is_err(), "it connects");
    bench.monitors.power().need_supply();
    // Now it does; nobody answers on this bus, and then there is none.
    let bus = tokio::net::UnixListener::from_std(bus).expect("a socket");
    drop(bus.accept().await.expect("a connection"));
    drop((bus, folder));
    bench
        .until(Predicate::AcPower, Known(false), "power_supply")
        .await;
    assert_eq!(
        bench.last(&Predicate::BatteryNotLow),
        None,
        "the charge is not needed"
    );
}

#[tokio::test]
async fn what_nobody_needs_is_not_known_and_no_change_later() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mut bench = Bench::start(clock.clone(), None);
    bench.battery("Discharging", "50");
    let low = declared("system(power_state_change)", "battery_above(30)");
    let demand = bench.monitors.demand().clone();
    demand.need(&low);
    bench.need("ac_power");
    let above = Predicate::BatteryAbove(30);
    bench
        .until(above.clone(), Known(true), "power_supply")
        .await;
    demand.release(&low);
    for fact in [above.clone(), Predicate::BatteryNotLow] {
        bench.until(fact, Unknown, "power_supply").await;
    }
    bench
        .until(Predicate::AcPower, Known(false), "power_supply")
        .await;
    demand.need(&low);
    bench.until(above, Known(true), "power_supply").await;
    assert_eq!(bench.events, [], "it is as it was");
    demand.release(&low);
    demand.release(&declared("startup", "ac_power"));
    bench
        .until(Predicate::AcPower, Unknown, "power_supply")
        .await;
    assert_eq!(clock.count(), 0, "somebody looks");
    bench.battery("Charging", "90");
    demand.need(&low);
    let not_low = Predicate::BatteryNotLow;
    bench.until(not_low, Guess(true), "power_supply").await;
    assert_eq!(bench.events, [], "when it was charged is not known");
}

#[test]
fn what_a_declaration_needs() {
    let needed = |trigger: &str, condition: &str| {
        let needs = needs(&declared(trigger, condition));
        let above = needs.iter().filter_map(|need| match need {
            Need::Above(percent) => Some(*percent),
            _ => None,
        });
        let has = |need| needs.contains(&need);
        (has(Need::Supply), has(Need::Charge), above.collect())
    };
    for (trigger, condition, expected) in [
        ("startup", "", (false, false, vec![])),
        ("startup", "internet", (false, false, vec![])),
        ("startup", "ac_power", (true, false, vec![])),
        ("startup", "energy_saver_off", (true, false, vec![])),
        (
            "startup",
            "internet || !battery_not_low",
            (true, true, vec![]),
        ),
        ("startup", "work_cost_not_high", (true, true, vec![])),
        (
            "startup",
            "battery_above(30) || battery_above(5)",
            (true, true, vec![5, 30]),
        ),
        ("maintenance(60)", "", (true, false, vec![])),
        ("system(power_state_change)", "", (true, true, vec![])),
        ("system(work_cost_change)", "", (true, true, vec![])),
        ("system(internet_available)", "", (false, false, vec![])),
    ] {
        assert_eq!(
            needed(trigger, condition),
            expected,
            "{trigger} {condition}"
        );
    }
}
