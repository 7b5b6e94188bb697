//! What this version can do on this system. What it cannot is refused when it is registered.

use bgtask_model::{Condition, Declaration, Delivery, Host, Predicate, SystemEvent, Trigger};

use crate::{Code, Error, Result};

/// Refuses a declaration that could not be honoured here, naming what is missing.
pub(crate) fn check(declaration: &Declaration, hosts: bool) -> Result<()> {
    let missing = trigger(&declaration.trigger)
        .or_else(|| declaration.condition.as_ref().and_then(condition))
        .or_else(|| host(&declaration.host, hosts))
        .or_else(|| options(declaration));
    match missing {
        None => Ok(()),
        Some((rule, remedy)) => Err(Error::new(Code::Unsupported, rule)
            .task(&declaration.name)
            .remedy(remedy)),
    }
}

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
            event: SystemEvent::InternetAvailable | SystemEvent::TimeZoneChange,
            ..
        } => None,
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
        .find(|predicate| {
            !matches!(
                predicate,
                Predicate::Internet | Predicate::NoInternet | Predicate::User(_)
            )
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

fn options(declaration: &Declaration) -> Option<Missing> {
    let options = &declaration.options;
    let asked: [(&str, bool); 11] = [
        ("cpu", options.cpu.is_some()),
        ("network_requested", options.network_requested),
        ("standby", options.standby),
        ("multiple_instances", options.multiple_instances),
        ("registration_group", options.registration_group.is_some()),
        ("unique", options.unique.is_some()),
        ("sandbox", options.sandbox.is_some()),
        ("nice", options.nice.is_some()),
        ("env", !options.env.is_empty()),
        ("idle_timeout", options.idle_timeout.is_some()),
        ("delivery", options.delivery == Delivery::Volatile),
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
