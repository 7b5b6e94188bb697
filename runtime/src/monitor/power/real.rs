//! Against the real UPower, on a bus of our own and a test bed of devices: a plug and a battery.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

use bgtask_model::{
    Predicate::{AcPower, BatteryAbove, BatteryNotLow, WorkCostNotHigh},
    SystemEvent::{PowerStateChange, WorkCostChange},
};

use super::supplies::tests::supply;
use crate::{
    Reading::Known,
    clock::{Bell, SystemClock},
    monitor::{
        MonitorConfig, Monitors,
        bench::{Told, declared, in_namespace, run},
        bus_bench::{Bus, Process, missing},
    },
};

/// Serves a plug and a battery to UPower, and changes them as it is told.
/// <https://github.com/martinpitt/umockdev>
const BED: &str = "
import subprocess, sys, gi
gi.require_version('UMockdev', '1.0')
from gi.repository import UMockdev
bed = UMockdev.Testbed.new()
plug = bed.add_device('power_supply', 'AC', None, ['type', 'Mains', 'online', '1'], [])
battery = bed.add_device('power_supply', 'BAT0', None, [
    'type', 'Battery', 'present', '1', 'status', 'Charging', 'scope', 'System',
    'energy_full', '50000000', 'energy_full_design', '50000000', 'energy_now', '40000000',
    'voltage_now', '12000000', 'power_now', '5000000', 'capacity', '80'], [])
daemon = None
for order in sys.stdin:
    word, *values = order.split()
    if word == 'start':
        daemon = subprocess.Popen(['/usr/libexec/upowerd'], stderr=subprocess.DEVNULL)
    elif word == 'end':
        daemon.kill()
        daemon.wait()
    elif word == 'plug':
        bed.set_attribute(plug, 'online', values[0])
        bed.uevent(plug, 'change')
    elif word == 'battery':
        bed.set_attribute(battery, 'status', values[0])
        bed.set_attribute(battery, 'capacity', values[1])
        bed.set_attribute(battery, 'energy_now', str(int(values[1]) * 500000))
        bed.uevent(battery, 'change')
    print('done', flush=True)
";

struct Bed {
    orders: ChildStdin,
    done: BufReader<ChildStdout>,
    _bed: Process,
}

impl Bed {
    fn start(bus: &Bus) -> Self {
        let command = ["umockdev-wrapper", "/usr/bin/python3", "-c", BED];
        let mut bed = Command::new(command[0])
            .args(&command[1..])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| missing("umockdev", &command, &error));
        Self {
            orders: bed.stdin.take().expect("piped"),
            done: BufReader::new(bed.stdout.take().expect("piped")),
            _bed: Process(bed),
        }
    }

    fn order(&mut self, order: &str) {
        // That it has ended is seen at its answer.
        let _ = writeln!(self.orders, "{order}");
        let mut line = String::new();
        self.done.read_line(&mut line).expect("an answer");
        let packages = "gir1.2-umockdev-1.0 and upower";
        assert_eq!(
            line, "done\n",
            "this test needs the Debian packages {packages}"
        );
    }
}

#[test]
fn the_real_upower_is_believed_while_it_is_there() {
    in_namespace(
        "mount",
        module_path!(),
        "the_real_upower_is_believed_while_it_is_there",
        async || {
            // It keeps what it saw there.
            run("util-linux", &["mount", "-t", "tmpfs", "tmpfs", "/var/lib"]);
            let bus = Bus::start();
            let supplies = tempfile::tempdir().expect("a folder");
            let config = MonitorConfig {
                etc: PathBuf::from("/nonexistent"),
                tz: None,
                network: false,
                network_manager: false,
                system_bus: Some(bus.address.clone()),
                power_supplies: supplies.path().to_owned(),
                ..MonitorConfig::default()
            };
            let bell = Bell::start().expect("a thread");
            let clock = Arc::new(SystemClock::with_bell(&bell).expect("a timer"));
            let (sender, mut told) = Told::listen();
            let monitors = Monitors::start(sender, clock, Some(&bell), config);
            let condition = "ac_power && battery_above(60) && work_cost_not_high";
            monitors.demand().need(&declared("startup", condition));

            let mut bed = Bed::start(&bus);
            bed.order("start");
            told.until(AcPower, Known(true), "upower").await;
            told.until(BatteryAbove(60), Known(true), "upower").await;
            told.events.clear();
            bed.order("plug 0");
            bed.order("battery Discharging 70");
            told.until(AcPower, Known(false), "upower").await;
            assert_eq!(told.events, [PowerStateChange, WorkCostChange]);
            bed.order("battery Discharging 15");
            told.until(WorkCostNotHigh, Known(false), "upower").await;
            for fact in [BatteryAbove(60), BatteryNotLow] {
                told.until(fact, Known(false), "upower").await;
            }
            told.events.clear();

            // It dies, and the kernel says the same; it comes back with a fresh state.
            let files = [
                ("type", "Battery"),
                ("status", "Discharging"),
                ("capacity", "15"),
            ];
            supply(supplies.path(), "BAT0", &files);
            bed.order("end");
            told.until(AcPower, Known(false), "power_supply").await;
            bed.order("start");
            told.until(AcPower, Known(false), "upower").await;
            told.until(BatteryNotLow, Known(false), "upower").await;
            assert_eq!(told.events, [], "nothing changed");
            bed.order("battery Charging 50");
            bed.order("plug 1");
            told.until(WorkCostNotHigh, Known(true), "upower").await;
            bed.order("end");
        },
    );
}
