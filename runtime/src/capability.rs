//! What this version can do on this system. What it cannot is refused when it is registered.

use bgtask_model::{Condition, Declaration, Host, Options, Predicate, SystemEvent, Trigger};

use crate::{Code, Error, sandbox};

/// All that a declaration asks for and that is missing here.
pub(crate) fn missing(declaration: &Declaration, hosts: bool) -> Vec<Error> {
    let missing = [
        trigger(&declaration.trigger),
        declaration.condition.as_ref().and_then(condition),
        host(&declaration.host, hosts),
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

/// Whether the machine's power can be watched here.
const POWER: bool = cfg!(target_os = "linux");

type Missing = (String, &'static str);

fn trigger(trigger: &Trigger) -> Option<Missing> {
    let remedy = "use another trigger, or raise `custom(\"…\")` from a source of your own";
    match trigger {
        Trigger::Time { .. }
        | Trigger::Every { .. }
        | Trigger::Cron { .. }
        | Trigger::At { .. }
        | Trigger::Startup
        | Trigger::Application
        | Trigger::Custom { .. }
        | Trigger::System {
            event:
                SystemEvent::InternetAvailable
                | SystemEvent::ServicingComplete
                | SystemEvent::TimeZoneChange,
            ..
        } => None,
        Trigger::Maintenance { .. } if POWER => None,
        Trigger::System {
            event: SystemEvent::PowerStateChange | SystemEvent::WorkCostChange,
            ..
        } if POWER => None,
        other => Some((
            format!("this version has no source for the trigger `{other}`"),
            remedy,
        )),
    }
}

fn condition(condition: &Condition) -> Option<Missing> {
    condition
        .predicates()
        .into_iter()
        .find(|predicate| !match predicate {
            Predicate::Internet | Predicate::NoInternet | Predicate::User(_) => true,
            Predicate::AcPower
            | Predicate::BatteryAbove(_)
            | Predicate::BatteryNotLow
            | Predicate::EnergySaverOff
            | Predicate::WorkCostNotHigh => POWER,
            _ => false,
        })
        .map(|predicate| {
            (
                format!("this version has no monitor for the condition `{predicate}`"),
                "write a `#[background_condition]` function that reports it",
            )
        })
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

    fn check(declaration: &Declaration, hosts: bool) -> Result<()> {
        match missing(declaration, hosts).into_iter().next() {
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
            check(&declared(&fields).expect("a declaration"), true)
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
                if declaration.is_some_and(|declaration| check(&declaration, true).is_err()) {
                    refused.insert(word);
                }
            }
        }
        assert_eq!(marked(), refused);
    }
}
