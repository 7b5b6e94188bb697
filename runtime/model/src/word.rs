//! Every word of the grammar, once, with what it stands for.
//!
//! A table pairs a word with a value of its type; where a variant carries something, the table
//! holds it with a placeholder and is compared by variant alone.

use std::mem::{Discriminant, discriminant};

use crate::{
    Delivery, DeviceChange, Missed, OnOverrun, Overlap, Pending, Predicate, SystemEvent, TimeOfDay,
    Trigger,
};

/// Words of one kind.
#[derive(Debug)]
pub(crate) struct Table<T: 'static> {
    words: &'static [(&'static str, T)],
}

impl<T> Table<T> {
    /// What `word` stands for; what it carries is a placeholder.
    pub(crate) fn value(&self, word: &str) -> Option<&'static T> {
        let found = self.words.iter().find(|entry| entry.0 == word);
        found.map(|entry| &entry.1)
    }

    /// The word for `value`, whatever it carries. Every variant has one; a test holds that.
    pub(crate) fn word(&self, value: &T) -> &'static str {
        let variant: Discriminant<T> = discriminant(value);
        let found = self
            .words
            .iter()
            .find(|entry| discriminant(&entry.1) == variant);
        found.map_or("", |entry| entry.0)
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &'static str> + Clone + use<T> {
        self.words.iter().map(|entry| entry.0)
    }

    /// The words as a list for a sentence.
    pub(crate) fn list(&self) -> String {
        list(self.words())
    }
}

/// `a`, `b` or `c`, in backticks.
pub(crate) fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => String::new(),
    }
}

/// The known word that was most likely meant: only one that is close, or that the word is a part
/// of, as `battery` is of `battery_above`.
///
/// ```
/// let known = ["retry", "overlap"].into_iter();
/// assert_eq!(bgtask_model::nearest("rerty", known.clone()), Some("retry"));
/// assert_eq!(bgtask_model::nearest("banana", known), None);
/// ```
#[must_use]
pub fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str> + Clone) -> Option<&'w str> {
    let meant = word.to_lowercase().replace('-', "_");
    let length = meant.chars().count();
    // Distances are quadratic in the length, and no long word is close to a known one.
    if length > 64 {
        return None;
    }
    let close = known
        .clone()
        .map(|known| {
            let distance = strsim::damerau_levenshtein(&meant, &known.to_lowercase());
            (distance, known)
        })
        .filter(|(distance, _)| *distance <= (length / 3).clamp(1, 4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known);
    let part = format!("_{meant}_");
    close.or_else(|| {
        let mut known = known.filter(|_| length > 2);
        known.find(|known| format!("_{known}_").contains(&part))
    })
}

pub(crate) static TRIGGERS: Table<Trigger> = Table {
    words: &[
        (
            "time",
            Trigger::Time {
                minutes: 0,
                once: false,
            },
        ),
        (
            "every",
            Trigger::Every {
                period: std::time::Duration::ZERO,
                once: false,
            },
        ),
        (
            "cron",
            Trigger::Cron {
                expression: String::new(),
                tz: None,
            },
        ),
        (
            "at",
            Trigger::At {
                time: TimeOfDay {
                    hour: 0,
                    minute: 0,
                    second: 0,
                },
                tz: None,
                once: false,
            },
        ),
        (
            "maintenance",
            Trigger::Maintenance {
                minutes: 0,
                once: false,
            },
        ),
        (
            "system",
            Trigger::System {
                event: SystemEvent::SmsReceived,
                once: false,
            },
        ),
        ("application", Trigger::Application),
        ("media_processing", Trigger::MediaProcessing),
        ("push", Trigger::Push { channel: None }),
        ("socket", Trigger::Socket { address: None }),
        (
            "control_channel",
            Trigger::ControlChannel {
                id: String::new(),
                keep_alive: 0,
            },
        ),
        (
            "files",
            Trigger::Files {
                path: String::new(),
                recursive: false,
            },
        ),
        (
            "device",
            Trigger::Device {
                changes: Vec::new(),
                subsystem: None,
            },
        ),
        ("device_use", Trigger::DeviceUse),
        ("device_servicing", Trigger::DeviceServicing),
        (
            "custom",
            Trigger::Custom {
                name: String::new(),
            },
        ),
        (
            "app_service",
            Trigger::AppService {
                name: String::new(),
            },
        ),
        ("toast_action", Trigger::ToastAction),
        ("startup", Trigger::Startup),
        ("voip", Trigger::Voip),
    ],
};

pub(crate) static EVENTS: Table<SystemEvent> = Table {
    words: &[
        ("sms_received", SystemEvent::SmsReceived),
        ("user_present", SystemEvent::UserPresent),
        ("user_away", SystemEvent::UserAway),
        ("network_state_change", SystemEvent::NetworkStateChange),
        ("control_channel_reset", SystemEvent::ControlChannelReset),
        ("internet_available", SystemEvent::InternetAvailable),
        ("session_connected", SystemEvent::SessionConnected),
        ("servicing_complete", SystemEvent::ServicingComplete),
        (
            "lock_screen_application_added",
            SystemEvent::LockScreenApplicationAdded,
        ),
        (
            "lock_screen_application_removed",
            SystemEvent::LockScreenApplicationRemoved,
        ),
        ("time_zone_change", SystemEvent::TimeZoneChange),
        (
            "online_id_connected_state_change",
            SystemEvent::OnlineIdConnectedStateChange,
        ),
        ("work_cost_change", SystemEvent::WorkCostChange),
        ("power_state_change", SystemEvent::PowerStateChange),
        (
            "default_sign_in_account_change",
            SystemEvent::DefaultSignInAccountChange,
        ),
    ],
};

pub(crate) static CONDITIONS: Table<Predicate> = Table {
    words: &[
        ("internet", Predicate::Internet),
        ("no_internet", Predicate::NoInternet),
        ("user_present", Predicate::UserPresent),
        ("user_not_present", Predicate::UserNotPresent),
        ("session_connected", Predicate::SessionConnected),
        ("session_disconnected", Predicate::SessionDisconnected),
        ("unmetered", Predicate::Unmetered),
        // The name in Windows' documentation; written back as `unmetered`.
        ("free_network", Predicate::Unmetered),
        ("work_cost_not_high", Predicate::WorkCostNotHigh),
        ("ac_power", Predicate::AcPower),
        ("battery_above", Predicate::BatteryAbove(0)),
        ("battery_not_low", Predicate::BatteryNotLow),
        ("storage_not_low", Predicate::StorageNotLow),
        ("memory_not_low", Predicate::MemoryNotLow),
        ("device_idle", Predicate::DeviceIdle),
        ("load_below", Predicate::LoadBelow(0)),
        ("energy_saver_off", Predicate::EnergySaverOff),
    ],
};

pub(crate) static CHANGES: Table<DeviceChange> = Table {
    words: &[
        ("add", DeviceChange::Add),
        ("update", DeviceChange::Update),
        ("remove", DeviceChange::Remove),
    ],
};

pub(crate) static OVERLAPS: Table<Overlap> = Table {
    words: &[
        ("skip", Overlap::Skip),
        ("queue", Overlap::Queue(0)),
        ("replace", Overlap::Replace),
        ("allow", Overlap::Allow(0)),
    ],
};

pub(crate) static PENDINGS: Table<Pending> = Table {
    words: &[
        ("latest", Pending::Latest),
        ("first", Pending::First),
        ("queue", Pending::Queue(0)),
    ],
};

pub(crate) static MISSED: Table<Missed> = Table {
    words: &[
        ("once", Missed::Once),
        ("skip", Missed::Skip),
        ("all", Missed::All(0)),
    ],
};

pub(crate) static DELIVERIES: Table<Delivery> = Table {
    words: &[
        ("at_least_once", Delivery::AtLeastOnce),
        ("at_most_once", Delivery::AtMostOnce),
        ("volatile", Delivery::Volatile),
    ],
};

pub(crate) static OVERRUNS: Table<OnOverrun> = Table {
    words: &[("report", OnOverrun::Report), ("abort", OnOverrun::Abort)],
};

/// The two hosts; only the second takes a group.
pub(crate) const HOSTS: [&str; 2] = ["in_process", "process"];

/// The two waits before a retry.
pub(crate) const BACKOFFS: [&str; 2] = ["fixed", "exponential"];

/// An argument of the attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Argument {
    Name,
    Trigger,
    Condition,
    Host,
    Timeout,
    Grace,
    Memory,
    Cpu,
    Retry,
    Overlap,
    Pending,
    Missed,
    Exclusive,
    Priority,
    Jitter,
    CancelOnConditionLoss,
    NetworkRequested,
    Standby,
    MultipleInstances,
    RegistrationGroup,
    Unique,
    Register,
    Delivery,
    OnOverrun,
    Sandbox,
    Nice,
    Env,
    IdleTimeout,
    Handle,
    Description,
}

impl Argument {
    /// How its value is written outside an attribute: the bare text, or words of the grammar.
    pub(crate) const fn is_bare_text(self) -> bool {
        matches!(
            self,
            Self::Name
                | Self::Timeout
                | Self::Grace
                | Self::Memory
                | Self::Cpu
                | Self::Exclusive
                | Self::Jitter
                | Self::RegistrationGroup
                | Self::Unique
                | Self::IdleTimeout
                | Self::Description
        )
    }

    pub(crate) fn word(self) -> &'static str {
        ARGUMENTS.word(&self)
    }
}

pub(crate) static ARGUMENTS: Table<Argument> = Table {
    words: &[
        ("name", Argument::Name),
        ("trigger", Argument::Trigger),
        ("condition", Argument::Condition),
        ("host", Argument::Host),
        ("timeout", Argument::Timeout),
        ("grace", Argument::Grace),
        ("memory", Argument::Memory),
        ("cpu", Argument::Cpu),
        ("retry", Argument::Retry),
        ("overlap", Argument::Overlap),
        ("pending", Argument::Pending),
        ("missed", Argument::Missed),
        ("exclusive", Argument::Exclusive),
        ("priority", Argument::Priority),
        ("jitter", Argument::Jitter),
        ("cancel_on_condition_loss", Argument::CancelOnConditionLoss),
        ("network_requested", Argument::NetworkRequested),
        ("standby", Argument::Standby),
        ("multiple_instances", Argument::MultipleInstances),
        ("registration_group", Argument::RegistrationGroup),
        ("unique", Argument::Unique),
        ("register", Argument::Register),
        ("delivery", Argument::Delivery),
        ("on_overrun", Argument::OnOverrun),
        ("sandbox", Argument::Sandbox),
        ("nice", Argument::Nice),
        ("env", Argument::Env),
        ("idle_timeout", Argument::IdleTimeout),
        ("handle", Argument::Handle),
        ("description", Argument::Description),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs_up<T: std::fmt::Debug>(table: &Table<T>, variants: usize) {
        let mut known: Vec<&str> = table.words().collect();
        for word in table.words() {
            let value = table.value(word).unwrap();
            let back = table.word(value);
            assert!(back == word || word == "free_network", "{word} {value:?}");
        }
        known.retain(|word| *word != "free_network");
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), variants);
    }

    #[test]
    fn every_word_and_variant_pair_up() {
        pairs_up(&TRIGGERS, 20);
        pairs_up(&EVENTS, 15);
        pairs_up(&CONDITIONS, 16);
        pairs_up(&CHANGES, 3);
        pairs_up(&OVERLAPS, 4);
        pairs_up(&PENDINGS, 3);
        pairs_up(&MISSED, 3);
        pairs_up(&DELIVERIES, 3);
        pairs_up(&OVERRUNS, 2);
        pairs_up(&ARGUMENTS, 30);
    }

    #[test]
    fn only_a_close_word_is_offered() {
        for (word, meant) in [
            ("tmie", Some("time")),
            ("Time", Some("time")),
            ("media-processing", Some("media_processing")),
            ("applicaton", Some("application")),
            ("processing", Some("media_processing")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, TRIGGERS.words()), meant, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), TRIGGERS.words()), None);
    }

    #[test]
    fn lists_read_like_a_sentence() {
        assert_eq!(OVERRUNS.list(), "`report` or `abort`");
        assert_eq!(CHANGES.list(), "`add`, `update` or `remove`");
    }
}
