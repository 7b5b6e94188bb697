//! Due times: when a declaration fires first, next, and which times it missed.
//!
//! A period is counted from due time to due time, so it does not drift. Civil times (`cron`, `at`)
//! are those of a named zone, or of the system's: one that a clock change leaves out comes at the
//! end of the gap, and one that it repeats comes once, the first time. Everything here is bounded:
//! a period is computed, never stepped through, and no more times are listed than are asked for.

use bgtask_model::{Declaration, TimeOfDay, Trigger};
use croner::Cron;
use jiff::{
    Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

use crate::{Code, Error, RegistrationId, Result};

const NANOS: i128 = 1_000_000_000;

/// How a declaration's due times are computed.
#[derive(Debug)]
pub(super) enum Plan {
    /// No due times: an event starts it.
    Event,
    /// Each `nanos`, from due time to due time.
    Period { nanos: i128 },
    /// By croner, chosen because a daily time in a gap fires at the end of the gap and one in an
    /// overlap once; cronexpr, which also speaks jiff, loses the one in the gap for that day.
    Cron {
        cron: Box<Cron>,
        zone: Option<TimeZone>,
    },
    /// Each day at a civil time.
    At {
        time: TimeOfDay,
        zone: Option<TimeZone>,
    },
}

impl Plan {
    /// # Errors
    ///
    /// [`Code::InvalidDeclaration`]: the cron expression or the zone cannot be read.
    pub(super) fn new(declaration: &Declaration) -> Result<Self> {
        let wrong =
            |rule: String| Error::new(Code::InvalidDeclaration, rule).task(&declaration.name);
        let zone = |name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => TimeZone::get(name)
                .map(Some)
                .map_err(|error| wrong(format!("unknown time zone `{name}`")).source(error)),
        };
        Ok(match &declaration.trigger {
            Trigger::Time { minutes, .. } | Trigger::Maintenance { minutes, .. } => Self::Period {
                nanos: i128::from(*minutes).max(1) * 60 * NANOS,
            },
            Trigger::Every { period, .. } => Self::Period {
                // A millisecond at least: a period of nothing would fire without end.
                nanos: i128::try_from(period.as_nanos())
                    .unwrap_or(i128::MAX / 4)
                    .max(NANOS / 1000),
            },
            Trigger::Cron { expression, tz } => Self::Cron {
                cron: Box::new(expression.parse().map_err(|error| {
                    wrong(format!("`{expression}` is no cron expression")).source(error)
                })?),
                zone: zone(tz)?,
            },
            Trigger::At { time, tz, .. } => Self::At {
                time: *time,
                zone: zone(tz)?,
            },
            _ => Self::Event,
        })
    }

    /// Whether a change of the system's zone moves its due times.
    pub(super) const fn follows_system_zone(&self) -> bool {
        matches!(
            self,
            Self::Cron { zone: None, .. } | Self::At { zone: None, .. }
        )
    }

    /// The first due time of what is registered `now`.
    pub(super) fn first(&self, now: Timestamp, system: &TimeZone) -> Option<Timestamp> {
        self.after(now, now, system)
    }

    /// The first due time later than `now`, of a row that `due` belongs to.
    pub(super) fn after(
        &self,
        due: Timestamp,
        now: Timestamp,
        system: &TimeZone,
    ) -> Option<Timestamp> {
        match self {
            Self::Event => None,
            Self::Period { nanos } => {
                let passed = (now.as_nanosecond() - due.as_nanosecond()).max(0) / nanos;
                at_nanos(due.as_nanosecond() + (passed + 1) * nanos)
            }
            Self::Cron { cron, zone } => {
                let from = now.to_zoned(zone.as_ref().unwrap_or(system).clone());
                let next = cron.find_next_occurrence(&from, false).ok()?.timestamp();
                (next > now).then_some(next)
            }
            Self::At { time, zone } => {
                let zone = zone.as_ref().unwrap_or(system);
                let mut day = now.to_zoned(zone.clone()).date().yesterday().ok()?;
                // A gap moves a time to the next day at most; a whole day may be left out.
                for _ in 0..5 {
                    match on_day(day, *time, zone) {
                        Some(at) if at > now => return Some(at),
                        _ => day = day.tomorrow().ok()?,
                    }
                }
                None
            }
        }
    }

    /// The newest due times from `due` to `now`, at most `count`, oldest first; `due` itself if
    /// there is no other.
    pub(super) fn passed(
        &self,
        due: Timestamp,
        now: Timestamp,
        count: usize,
        system: &TimeZone,
    ) -> Vec<Timestamp> {
        let mut found = Vec::new();
        let mut from = now;
        while found.len() < count.max(1) {
            match self.before(due, from, system) {
                Some(at) if at >= due => {
                    found.push(at);
                    match at.as_nanosecond().checked_sub(1).and_then(at_nanos) {
                        Some(earlier) => from = earlier,
                        None => break,
                    }
                }
                _ => break,
            }
        }
        if found.is_empty() {
            found.push(due);
        }
        found.reverse();
        found
    }

    /// The last due time that is not later than `now`.
    fn before(&self, due: Timestamp, now: Timestamp, system: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Event => None,
            Self::Period { nanos } => {
                let passed = now.as_nanosecond() - due.as_nanosecond();
                (passed >= 0)
                    .then(|| at_nanos(due.as_nanosecond() + passed / nanos * nanos))
                    .flatten()
            }
            Self::Cron { cron, zone } => {
                // Cron knows seconds; a part of one would hide the time it belongs to.
                let second = Timestamp::from_second(now.as_nanosecond().div_euclid(NANOS) as i64);
                let zone = zone.as_ref().unwrap_or(system).clone();
                let last = cron.find_previous_occurrence(&second.ok()?.to_zoned(zone), true);
                Some(last.ok()?.timestamp()).filter(|last| *last <= now)
            }
            Self::At { time, zone } => {
                let zone = zone.as_ref().unwrap_or(system);
                let mut day = now.to_zoned(zone.clone()).date();
                for _ in 0..5 {
                    match on_day(day, *time, zone) {
                        Some(at) if at <= now => return Some(at),
                        _ => day = day.yesterday().ok()?,
                    }
                }
                None
            }
        }
    }

    /// How much later than `due` a registration wakes: the same each time it is asked, within
    /// `jitter`, and before the next due time, so that no due time is overtaken.
    pub(super) fn spread(
        &self,
        id: RegistrationId,
        due: Timestamp,
        jitter: Option<std::time::Duration>,
        system: &TimeZone,
    ) -> Timestamp {
        let Some(jitter) = jitter.filter(|jitter| !jitter.is_zero()) else {
            return due;
        };
        let gap = self
            .after(due, due, system)
            .map_or(i128::MAX, |next| next.as_nanosecond() - due.as_nanosecond());
        let room = i128::try_from(jitter.as_nanos())
            .unwrap_or(i128::MAX)
            .min(gap)
            .max(1);
        let draw = mix(id, due.as_nanosecond() as u64) as i128;
        at_nanos(due.as_nanosecond() + draw % room).unwrap_or(due)
    }
}

/// The instant of a civil time on a day: the end of the gap that leaves it out, the first of the
/// two that it stands for.
fn on_day(day: Date, time: TimeOfDay, zone: &TimeZone) -> Option<Timestamp> {
    let (hour, minute, second) = (time.hour as i8, time.minute as i8, time.second as i8);
    let civil = day.to_datetime(jiff::civil::Time::new(hour, minute, second, 0).ok()?);
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        // Read with the later offset, the time lies before the gap: the next change ends it.
        AmbiguousOffset::Gap { after, .. } => {
            let before_gap = after.to_timestamp(civil).ok()?;
            Some(zone.following(before_gap).next()?.timestamp())
        }
        _ => ambiguous.compatible().ok(),
    }
}

fn at_nanos(nanos: i128) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanos).ok()
}

/// Spreads the bits of an identity and a number evenly (the finalizer of SplitMix64,
/// <https://prng.di.unimi.it/splitmix64.c>). Not the standard library's hasher, because the app
/// and its agent may be built by two compilers and have to agree.
pub(super) fn mix(id: RegistrationId, number: u64) -> u64 {
    let halves = u128::from_be_bytes(*id.as_bytes());
    [(halves >> 64) as u64, halves as u64, number]
        .into_iter()
        .fold(0, |state: u64, part| {
            let mut word = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        })
}
