//! What this version can do on this system. What it cannot is refused when it is registered.

use bgtask_model::{Condition, Declaration, Host, Options, Predicate, SystemEvent, Trigger};

use crate::{Code, Error, sandbox};

/// What is here, beside the system that this was built for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    /// This program's `main` becomes a host when it is asked to.
    pub(crate) hosts: bool,
    /// There is a bus on which the system's services may tell something.
    pub(crate) system_bus: bool,
    /// Somebody may know what the network costs, or the user lets one pass of which nobody does.
    pub(crate) metering: bool,
}

impl Here {
    /// As much as there can be.
    #[cfg(test)]
    pub(crate) const EVERYTHING: Self = Self {
        hosts: true,
        system_bus: true,
        metering: true,
    };
}

/// All that a declaration asks for and that is missing here.
pub(crate) fn missing(declaration: &Declaration, here: Here) -> Vec<Error> {
    let condition = declaration.condition.iter();
    let mut facts = condition.flat_map(Condition::predicates);
    let missing = [
        trigger(&declaration.trigger, here),
        facts.find_map(|predicate| fact(predicate, here)),
        host(&declaration.host, here.hosts),
        process(&declaration.options),
        options(declaration),
    ];
    let error = |(rule, remedy): Missing| {
        Error::new(Code::Unsupported, rule)
            .task(&declaration.name)
            .remedy(remedy)
    };
    missing.into_iter().flatten().map(error).collect()
}

/// What keeps the network of a declaration from being kept up, if it asks for that.
pub(crate) fn network(
    declaration: &Declaration,
    check: impl FnOnce() -> Result<(), String>,
) -> Option<Error> {
    let asked = declaration.options.network_requested;
    let missing = asked.then(check)?.err()?;
    let rule = format!("`network_requested` needs a lock of logind: {missing}");
    let remedy = "run where `systemd-logind` is, and where it permits a lock on sleep, \
        `org.freedesktop.login1.inhibit-block-sleep`; or leave it out";
    let error = Error::new(Code::Unsupported, rule);
    Some(error.task(&declaration.name).remedy(remedy))
}

/// Whether the machine, its sessions, folders and devices can be watched here.
const LINUX: bool = cfg!(target_os = "linux");

type Missing = (String, &'static str);

fn trigger(trigger: &Trigger, here: Here) -> Option<Missing> {
    let remedy = "use another trigger, or raise `custom(\"…\")` from a source of your own";
    match trigger {
        Trigger::Time { .. }
        | Trigger::Every { .. }
        | Trigger::Cron { .. }
        | Trigger::At { .. }
        | Trigger::Startup
        | Trigger::Application
        | Trigger::MediaProcessing
        | Trigger::Push { .. }
        | Trigger::Custom { .. }
        | Trigger::System {
            event:
                SystemEvent::InternetAvailable
                | SystemEvent::ServicingComplete
                | SystemEvent::TimeZoneChange,
            ..
        } => None,
        Trigger::Maintenance { .. }
        | Trigger::Files { .. }
        | Trigger::Device { .. }
        | Trigger::Socket { .. }
        | Trigger::ControlChannel { .. }
        | Trigger::DeviceUse
        | Trigger::DeviceServicing
            if LINUX =>
        {
            None
        }
        Trigger::System {
            event:
                SystemEvent::PowerStateChange
                | SystemEvent::WorkCostChange
                | SystemEvent::NetworkStateChange
                | SystemEvent::SessionConnected,
            ..
        } if LINUX => None,
        Trigger::System {
            event: SystemEvent::UserPresent | SystemEvent::UserAway,
            ..
        } if LINUX => {
            let rule = format!("nobody tells of `{trigger}` here: {NO_BUS}");
            (!here.system_bus).then_some((rule, remedy))
        }
        other => Some((
            format!("this version has no source for the trigger `{other}`"),
            remedy,
        )),
    }
}

/// Without it there is nobody to ask.
const NO_BUS: &str = "there is no system bus";

fn fact(predicate: &Predicate, here: Here) -> Option<Missing> {
    let remedy = "write a `#[background_condition]` function that reports it";
    match predicate {
        Predicate::Internet | Predicate::NoInternet | Predicate::User(_) => None,
        Predicate::AcPower
        | Predicate::BatteryAbove(_)
        | Predicate::BatteryNotLow
        | Predicate::EnergySaverOff
        | Predicate::WorkCostNotHigh
        | Predicate::StorageNotLow
        | Predicate::LoadBelow(_)
        | Predicate::SessionConnected
        | Predicate::SessionDisconnected
            if LINUX =>
        {
            None
        }
        Predicate::UserPresent | Predicate::UserNotPresent | Predicate::DeviceIdle if LINUX => {
            let rule = format!("nobody can tell `{predicate}` here: {NO_BUS}");
            (!here.system_bus).then_some((rule, remedy))
        }
        Predicate::Unmetered if LINUX => {
            let rule = format!(
                "nobody can tell `{predicate}` here: there is no NetworkManager to say what a network costs"
            );
            let remedy = "the user may let such networks pass, `unknown_metering = \"allow\"` in their access file; or write a `#[background_condition]` function that reports it";
            (!here.metering).then_some((rule, remedy))
        }
        other => Some((
            format!("this version has no monitor for the condition `{other}`"),
            remedy,
        )),
    }
}

fn host(host: &Host, hosts: bool) -> Option<Missing> {
    let asked = matches!(host, Host::Process { .. });
    if asked && !cfg!(unix) {
        return Some((
            "processes of a task are started on Unix systems only".into(),
            "use `host = in_process` here",
        ));
    }
    (asked && !hosts).then(|| {
        (
            "its process could not be started: this program's `main` cannot become a host".into(),
            "annotate `main` with `#[bgtask::main]`",
        )
    })
}

/// What a process cannot be here.
fn process(options: &Options) -> Option<Missing> {
    if let Some(nice) = options.nice.filter(|nice| !is_permitted(*nice)) {
        return Some((
            format!("this process may not give the priority `nice = {nice}`"),
            "state a higher number, or permit it: `LimitNICE=` of a systemd unit, or `CAP_SYS_NICE`",
        ));
    }
    (options.sandbox.is_some() && !sandbox::is_supported()).then(|| {
        (
            "this system cannot hold a process to the paths of a `sandbox`".into(),
            "leave it out, or run on Linux 6.2 or newer with landlock among its security modules",
        )
    })
}

/// Whether a process of ours may have this priority.
fn is_permitted(nice: i8) -> bool {
    use rustix::process::{geteuid, getpriority_process, setpriority_process};

    if cfg!(target_os = "linux") {
        // A priority is a thread's here, so one that ends at once can try.
        let trial = std::thread::spawn(move || setpriority_process(None, nice.into()).is_ok());
        return trial.join().unwrap_or(false);
    }
    geteuid().is_root() || getpriority_process(None).is_ok_and(|ours| ours <= nice.into())
}

fn options(declaration: &Declaration) -> Option<Missing> {
    let options = &declaration.options;
    let off_linux = !cfg!(target_os = "linux");
    let asked: [(&str, bool); 2] = [
        ("memory", options.memory.is_some() && off_linux),
        ("cpu", options.cpu.is_some() && off_linux),
    ];
    asked
        .into_iter()
        .find(|(_, asked)| *asked)
        .map(|(word, _)| {
            (
                format!("this version does not honour the argument `{word}`"),
                "leave it out: nothing is promised that is not done",
            )
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bgtask_model::grammar::{FieldValue, Identity, words};

    use super::*;
    use crate::Result;

    fn check(declaration: &Declaration, here: Here) -> Result<()> {
        match missing(declaration, here).into_iter().next() {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// The words that the documentation marks with a dagger: `push` †.
    fn marked() -> BTreeSet<&'static str> {
        let page = include_str!("attribute.md");
        let marked = page.split('†').filter_map(|before| {
            let code = before.strip_suffix("` ")?.rsplit('`').next()?;
            // `system(user_present)` is about the event.
            let code = code.strip_prefix("system(").unwrap_or(code);
            code.split(|c: char| c != '_' && !c.is_alphanumeric())
                .next()
        });
        marked.collect()
    }

    fn declared(fields: &[(&str, FieldValue)]) -> Option<Declaration> {
        let identity = Identity {
            default_name: "app::task".to_owned(),
            function: "app::task".to_owned(),
            description: None,
        };
        let fields = fields.iter().cloned();
        let fields = fields.map(|(word, value)| (word.to_owned(), value));
        Declaration::from_fields(identity, fields).ok()
    }

    /// The first of these values that the grammar accepts, in a declaration.
    fn first(argument: &str, values: &[FieldValue]) -> Option<Declaration> {
        let surroundings = [("host", "process"), ("condition", "internet")];
        let fields = surroundings.map(|other| {
            let others = [("trigger", "time(15)"), other];
            let others = others.into_iter().filter(|other| other.0 != argument);
            let others: Vec<_> = others.map(|(word, value)| (word, value.into())).collect();
            values
                .iter()
                .find_map(|value| declared(&[&others[..], &[(argument, value.clone())]].concat()))
        });
        fields.into_iter().flatten().next()
    }

    /// A declaration with this word of `argument`.
    fn with(argument: &str, word: &str) -> Declaration {
        let values = [
            "",
            "(15)",
            "(0.8)",
            "(\"10s\")",
            "(\"0 3 * * *\")",
            "(\"02:30\")",
            "(\"/srv\")",
            "(\"tcp://127.0.0.1:7000\")",
            "(\"id\", keep_alive = 30)",
            "(add)",
        ];
        let values = values.map(|value| FieldValue::from(format!("{word}{value}")));
        first(argument, &values).unwrap_or_else(|| panic!("no way to write `{word}`"))
    }

    /// A declaration that states this argument; `None` for those that every task has.
    fn stating(argument: &str) -> Option<Declaration> {
        let texts = [
            "10s",
            "512MiB",
            "read = [\"/etc\"]",
            "A = \"b\"",
            "max = 5",
            "skip",
            "latest",
            "at_most_once",
        ];
        let texts = texts.map(FieldValue::from);
        let values = [&[FieldValue::Bool(true), FieldValue::Int(19)], &texts[..]].concat();
        first(argument, &values)
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_priority_that_is_not_permitted_is_refused() {
        use rustix::{
            process::{Resource, Rlimit, getrlimit, setrlimit},
            thread::{CapabilitySet, capabilities, set_capabilities},
        };

        // What this thread gives up, those that it starts do not have.
        let mut ours = capabilities(None).expect("told");
        ours.effective.remove(CapabilitySet::SYS_NICE);
        set_capabilities(None, ours).expect("given up");
        let maximum = getrlimit(Resource::Nice).maximum;
        let none = Rlimit {
            current: Some(0),
            maximum,
        };
        setrlimit(Resource::Nice, none).expect("lowered");

        let nice = |nice: i64| {
            let fields = [
                ("trigger", "startup".into()),
                ("host", "process".into()),
                ("nice", FieldValue::Int(nice)),
            ];
            check(&declared(&fields).expect("a declaration"), Here::EVERYTHING)
        };
        assert!(nice(19).is_ok());
        let error = nice(-20).expect_err("refused");
        assert_eq!(error.code(), Code::Unsupported);
        assert!(error.to_string().contains("`nice = -20`"), "{error}");
    }

    #[test]
    fn the_documentation_marks_what_is_refused() {
        let mut refused = BTreeSet::new();
        for (family, words) in words() {
            for word in words {
                let declaration = match family {
                    "trigger" if word == "system" => None,
                    "trigger" | "condition" | "delivery" => Some(with(family, word)),
                    "system" => Some(with("trigger", &format!("system({word})"))),
                    "argument" => stating(word),
                    _ => None,
                };
                if declaration
                    .is_some_and(|declaration| check(&declaration, Here::EVERYTHING).is_err())
                {
                    refused.insert(word);
                }
            }
        }
        assert_eq!(marked(), refused);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_network_costs_has_to_be_known_by_somebody() {
        let fields = [
            ("trigger", "startup".into()),
            ("condition", "internet && !free_network".into()),
        ];
        let declaration = declared(&fields).expect("a declaration");
        assert!(check(&declaration, Here::EVERYTHING).is_ok());
        let here = Here {
            metering: false,
            ..Here::EVERYTHING
        };
        let error = check(&declaration, here).expect_err("refused");
        assert_eq!(error.code(), Code::Unsupported);
        assert!(error.rule().contains("`unmetered`"), "{error}");
        let help = error.help().expect("a remedy");
        assert!(help.contains("unknown_metering"), "{help}");
    }

    /// A declaration with this field.
    #[cfg(target_os = "linux")]
    fn having(field: &'static str, value: &'static str) -> Declaration {
        let trigger = ("trigger", FieldValue::from("startup"));
        let fields = [trigger, (field, value.into())];
        let fields = if field == "trigger" {
            &fields[1..]
        } else {
            &fields[..]
        };
        declared(fields).expect("a declaration")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_only_services_tell_needs_the_bus() {
        let here = Here {
            system_bus: false,
            ..Here::EVERYTHING
        };
        for (field, value) in [
            ("condition", "user_present"),
            ("condition", "internet || !user_not_present"),
            ("condition", "device_idle"),
            ("trigger", "system(user_present)"),
            ("trigger", "system(user_away, once)"),
        ] {
            let declaration = having(field, value);
            assert!(check(&declaration, Here::EVERYTHING).is_ok(), "{value}");
            let error = check(&declaration, here).expect_err(value);
            assert_eq!(error.code(), Code::Unsupported);
            assert!(error.rule().ends_with("there is no system bus"), "{error}");
        }
        for (field, value) in [
            ("condition", "session_connected && !session_disconnected"),
            ("trigger", "system(session_connected)"),
        ] {
            let declaration = having(field, value);
            assert!(
                check(&declaration, here).is_ok(),
                "files tell `{value}` too"
            );
        }
    }
}
