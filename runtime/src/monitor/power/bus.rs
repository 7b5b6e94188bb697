//! What the services on the system bus say of the power.

use crate::{
    Reading,
    monitor::properties::{Object, Properties},
};

/// <https://upower.freedesktop.org/docs/UPower.html>
pub(super) const UPOWER: Object = Object {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower",
    interface: "org.freedesktop.UPower",
};

/// All batteries of the machine as one: <https://upower.freedesktop.org/docs/Device.html>. It tells
/// its rate of charge every some seconds.
pub(super) const BATTERY: Object = Object {
    name: "org.freedesktop.UPower",
    path: "/org/freedesktop/UPower/devices/DisplayDevice",
    interface: "org.freedesktop.UPower.Device",
};

/// <https://upower.pages.freedesktop.org/power-profiles-daemon/gdbus-org.freedesktop.UPower.PowerProfiles.html>
pub(super) const PROFILES: Object = Object {
    name: "org.freedesktop.UPower.PowerProfiles",
    path: "/org/freedesktop/UPower/PowerProfiles",
    interface: "org.freedesktop.UPower.PowerProfiles",
};

/// The same before version 0.20.
pub(super) const PROFILES_BEFORE: Object = Object {
    name: "net.hadess.PowerProfiles",
    path: "/net/hadess/PowerProfiles",
    interface: "net.hadess.PowerProfiles",
};

/// `UpDeviceKind`: a battery.
const KIND_BATTERY: u32 = 2;

pub(super) fn on_battery(upower: &Properties) -> Option<bool> {
    upower.get("OnBattery")?.try_into().ok()
}

/// In percent; `None` without a battery.
pub(super) fn charge(battery: &Properties) -> Option<f64> {
    let kind: u32 = battery.get("Type")?.try_into().ok()?;
    let present: bool = battery.get("IsPresent")?.try_into().ok()?;
    let percent: f64 = battery.get("Percentage")?.try_into().ok()?;
    (kind == KIND_BATTERY && present && percent.is_finite()).then_some(percent)
}

/// Whether energy is saved. Where no service knows of profiles, nothing is there that could save
/// it: a guess.
pub(super) fn saver(profiles: Option<&Properties>) -> Reading {
    let Some(profiles) = profiles else {
        return Reading::Guess(false);
    };
    let active = profiles.get("ActiveProfile");
    match active.and_then(|active| <&str>::try_from(active).ok()) {
        Some(active) => Reading::Known(active == "power-saver"),
        None => Reading::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use zbus::wire::{OwnedVariant, Variant};

    use super::*;

    fn properties<const N: usize>(all: [(&str, Variant<'static>); N]) -> Properties {
        let owned = |value| OwnedVariant::try_from(value).expect("no descriptor");
        let all = all.into_iter();
        all.map(|(name, value)| (name.to_owned(), owned(value)))
            .collect()
    }

    #[test]
    fn what_the_battery_says() {
        for (kind, present, percent, expected) in [
            (2u32, true, 80.5f64, Some(80.5)),
            (2, true, 0.0, Some(0.0)),
            // No battery, or something else that is charged.
            (2, false, 0.0, None),
            (0, true, 0.0, None),
            (8, true, 50.0, None),
            (2, true, f64::NAN, None),
        ] {
            let all = properties([
                ("Type", kind.into()),
                ("IsPresent", present.into()),
                ("Percentage", percent.into()),
            ]);
            assert_eq!(charge(&all), expected, "{kind} {present} {percent}");
        }
        assert_eq!(charge(&properties([])), None);
        assert_eq!(
            on_battery(&properties([("OnBattery", true.into())])),
            Some(true)
        );
        assert_eq!(on_battery(&properties([("OnBattery", "yes".into())])), None);
        assert_eq!(on_battery(&properties([])), None);
    }

    #[test]
    fn what_the_profile_says() {
        let profile = |name: &'static str| properties([("ActiveProfile", name.into())]);
        let saving = profile("power-saver");
        assert_eq!(saver(Some(&saving)), Reading::Known(true));
        for other in ["balanced", "performance"] {
            assert_eq!(
                saver(Some(&profile(other))),
                Reading::Known(false),
                "{other}"
            );
        }
        assert_eq!(saver(Some(&properties([]))), Reading::Unknown);
        assert_eq!(saver(None), Reading::Guess(false));
    }
}
