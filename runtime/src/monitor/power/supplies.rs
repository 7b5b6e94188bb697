//! The kernel's power supplies, for machines without UPower.
//! <https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-power>

use std::{fs, io, path::Path};

use crate::Reading;

/// What the supplies say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Supplies {
    pub(super) on_battery: Reading,
    /// In percent; `None` without a battery.
    pub(super) charge: Option<f64>,
}

/// A battery of the machine, not of a mouse.
struct Battery {
    discharging: bool,
    /// How much it holds, and how much it could; all in one unit, which differs between machines.
    held: f64,
    full: f64,
}

/// Reads them all: some small files each. `root` is `/sys/class/power_supply`.
pub(super) fn read(root: &Path) -> Supplies {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        // A kernel that knows of no supplies runs in no machine with a battery.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Supplies {
                on_battery: Reading::Guess(false),
                charge: None,
            };
        }
        Err(error) => {
            tracing::debug!(%error, root = %root.display(), "the power supplies are not readable");
            return Supplies {
                on_battery: Reading::Unknown,
                charge: None,
            };
        }
    };
    let mut mains = Vec::new();
    let mut batteries = Vec::new();
    for entry in entries.flatten() {
        let supply = entry.path();
        match text(&supply, "type").as_deref() {
            Some("Battery") => batteries.extend(battery(&supply)),
            Some("Mains" | "USB" | "Wireless") => {
                // 1: fixed, 2: programmable; a plug may supply in either way.
                mains.extend(number(&supply, "online").map(|online| online > 0.0));
            }
            _ => {}
        }
    }
    let full: f64 = batteries.iter().map(|battery| battery.full).sum();
    let held: f64 = batteries.iter().map(|battery| battery.held).sum();
    let discharging = batteries.iter().any(|battery| battery.discharging);
    Supplies {
        on_battery: match (mains.contains(&true), discharging) {
            (true, _) => Reading::Known(false),
            (false, true) => Reading::Known(true),
            // Neither says so: a server, or a battery that is full and not used.
            (false, false) => Reading::Guess(false),
        },
        charge: (full > 0.0).then(|| (100.0 * held / full).clamp(0.0, 100.0)),
    }
}

fn battery(supply: &Path) -> Option<Battery> {
    let of_a_device = text(supply, "scope").as_deref() == Some("Device");
    if of_a_device || number(supply, "present") == Some(0.0) {
        return None;
    }
    let pair = |now, full| {
        let full = number(supply, full).filter(|full| *full > 0.0)?;
        Some((number(supply, now)?, full))
    };
    let (held, full) = pair("energy_now", "energy_full")
        .or_else(|| pair("charge_now", "charge_full"))
        .or_else(|| Some((number(supply, "capacity")?, 100.0)))?;
    Some(Battery {
        discharging: text(supply, "status").as_deref() == Some("Discharging"),
        held,
        full,
    })
}

fn number(supply: &Path, name: &str) -> Option<f64> {
    text(supply, name)?.parse().ok()
}

fn text(supply: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(supply.join(name)).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use Reading::{Guess, Known};

    /// Makes a supply of these files.
    pub(in super::super) fn supply(root: &Path, name: &str, files: &[(&str, &str)]) {
        let dir = root.join(name);
        fs::create_dir_all(&dir).expect("made");
        for (name, text) in files {
            fs::write(dir.join(name), format!("{text}\n")).expect("written");
        }
    }

    type Files = [(&'static str, &'static [(&'static str, &'static str)])];

    const AC: (&str, &[(&str, &str)]) = ("AC", &[("type", "Mains"), ("online", "1")]);
    const NO_AC: (&str, &[(&str, &str)]) = ("AC", &[("type", "Mains"), ("online", "0")]);
    const HALF: (&str, &[(&str, &str)]) = (
        "BAT0",
        &[
            ("type", "Battery"),
            ("status", "Discharging"),
            ("present", "1"),
            ("energy_now", "25000000"),
            ("energy_full", "50000000"),
        ],
    );

    #[test]
    fn what_the_supplies_say() {
        let cases: [(&Files, Reading, Option<f64>); 10] = [
            (&[], Guess(false), None),
            (&[AC], Known(false), None),
            (&[NO_AC], Guess(false), None),
            (&[AC, HALF], Known(false), Some(50.0)),
            (&[NO_AC, HALF], Known(true), Some(50.0)),
            (&[HALF], Known(true), Some(50.0)),
            // Two of them, the second one of another size.
            (
                &[
                    HALF,
                    (
                        "BAT1",
                        &[
                            ("type", "Battery"),
                            ("status", "Unknown"),
                            ("energy_now", "75000000"),
                            ("energy_full", "150000000"),
                        ],
                    ),
                ],
                Known(true),
                Some(50.0),
            ),
            (
                &[
                    NO_AC,
                    (
                        "BAT0",
                        &[
                            ("type", "Battery"),
                            ("status", "Full"),
                            ("charge_now", "3100"),
                            ("charge_full", "3000"),
                        ],
                    ),
                ],
                Guess(false),
                Some(100.0),
            ),
            (
                &[(
                    "BAT0",
                    &[
                        ("type", "Battery"),
                        ("status", "Discharging"),
                        ("capacity", "7"),
                    ],
                )],
                Known(true),
                Some(7.0),
            ),
            // A mouse, and a bay that is empty.
            (
                &[
                    (
                        "hidpp_battery_0",
                        &[
                            ("type", "Battery"),
                            ("scope", "Device"),
                            ("status", "Discharging"),
                            ("capacity", "5"),
                        ],
                    ),
                    (
                        "BAT1",
                        &[
                            ("type", "Battery"),
                            ("present", "0"),
                            ("status", "Discharging"),
                            ("capacity", "0"),
                        ],
                    ),
                ],
                Guess(false),
                None,
            ),
        ];
        for (files, on_battery, charge) in cases {
            let root = tempfile::tempdir().expect("a folder");
            for (name, texts) in files {
                supply(root.path(), name, texts);
            }
            let expected = Supplies { on_battery, charge };
            assert_eq!(read(root.path()), expected, "{files:?}");
        }
    }

    #[test]
    fn a_kernel_without_supplies_has_no_battery() {
        let root = tempfile::tempdir().expect("a folder");
        let absent = read(&root.path().join("absent"));
        assert_eq!(absent.on_battery, Guess(false));
        std::fs::write(root.path().join("file"), "").expect("written");
        let unreadable = read(&root.path().join("file"));
        assert_eq!(unreadable.on_battery, Reading::Unknown);
    }
}
