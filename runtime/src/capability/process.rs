//! The process of a body, and what an argument can ask of it here.

use bgtask_model::{Declaration, Host, Options, Trigger, grammar::is_of_process};

use super::{
    Here, LINUX, OURS,
    verdict::{Missing, Verdict},
};
use crate::sandbox;

/// Whether what sleeps can be kept awake, by what logind answered.
pub(super) fn sleep_lock(check: Result<(), String>) -> Verdict {
    match check {
        Ok(()) => Verdict::guaranteed(&["logind"]),
        Err(missing) => Verdict::unsupported(
            format!("`network_requested` needs a lock of logind: {missing}"),
            "run where `systemd-logind` is, and where it permits a lock on sleep, \
                `org.freedesktop.login1.inhibit-block-sleep`; or leave it out",
        ),
    }
}

pub(super) fn host(host: &Host, here: Here) -> Verdict {
    match host {
        Host::InProcess => OURS,
        Host::Process { .. } if !cfg!(unix) => Verdict::unsupported(
            "processes of a task are started on Unix systems only",
            "use `host = in_process` here",
        ),
        Host::Process { .. } if !here.hosts => Verdict::unsupported(
            "its process could not be started: this program's `main` cannot become a host",
            "annotate `main` with `#[bgtask::main]`",
        ),
        Host::Process { .. } => OURS,
    }
}

/// A connection ends in the app's own process.
pub(super) fn hosted_service(declaration: &Declaration) -> Option<Missing> {
    let is_service = matches!(declaration.trigger, Trigger::AppService { .. });
    let hosted = matches!(declaration.host, Host::Process { .. });
    (is_service && hosted).then(|| {
        (
            "`app_service` runs in the app's own process in this version".to_owned(),
            "use `host = in_process`",
        )
    })
}

/// What of the options is missing.
pub(super) fn options(options: &Options) -> impl Iterator<Item = Missing> + use<> {
    let stated = [
        ("sandbox", options.sandbox.is_some()),
        ("memory", options.memory.is_some()),
        ("cpu", options.cpu.is_some()),
    ];
    let stated = stated.into_iter().filter(|(_, stated)| *stated);
    let verdicts = stated.map(|(word, _)| of_process(word));
    let nice = options.nice.map(nice);
    nice.into_iter()
        .chain(verdicts)
        .filter_map(Verdict::missing)
}

/// An argument, whatever its value.
pub(super) fn argument(word: &str, here: Here) -> Verdict {
    if word == "idle_timeout" {
        return Verdict::best_effort(&["bgtask"], "what the body has others do is not seen");
    }
    if word == "host" || !is_of_process(word) {
        return OURS;
    }
    let process = host(&Host::Process { group: None }, here);
    if process.is_unsupported() {
        return process;
    }
    of_process(word)
}

/// An argument that is about the process of a body, where there can be one.
fn of_process(word: &str) -> Verdict {
    match word {
        "sandbox" if sandbox::is_supported() => Verdict::guaranteed(&["landlock"]),
        "sandbox" => Verdict::unsupported(
            "this system cannot hold a process to the paths of a `sandbox`",
            "leave it out, or run on Linux 6.2 or newer with landlock among its security modules",
        ),
        "memory" | "cpu" if !LINUX => Verdict::unsupported(
            format!("this version does not honour the argument `{word}`"),
            "leave it out: nothing is promised that is not done",
        ),
        "memory" => Verdict::best_effort(&["setrlimit", "/proc"], NOT_THEIR_PROGRAMS),
        "cpu" => Verdict::best_effort(&["setrlimit"], NOT_THEIR_PROGRAMS),
        "nice" => match nice(MOST_URGENT).missing() {
            None => Verdict::guaranteed(&["setpriority"]),
            Some((rule, _)) => Verdict::best_effort(&["setpriority"], rule),
        },
        _ => OURS,
    }
}

const NOT_THEIR_PROGRAMS: &str = "programs that the body starts are not counted";

/// The most urgent value of `nice`: who may give it may give all.
const MOST_URGENT: i8 = -20;

fn nice(nice: i8) -> Verdict {
    if is_permitted(nice) {
        return Verdict::guaranteed(&["setpriority"]);
    }
    Verdict::unsupported(
        format!("this process may not give the priority `nice = {nice}`"),
        "state a higher number, or permit it: `LimitNICE=` of a systemd unit, or `CAP_SYS_NICE`",
    )
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
