//! Which runs are kept from others: those after a run that ended with its process.
//!
//! The end of a shared process hits every run in it, and from outside nobody can tell which one
//! was to blame. So each of them has a process of its own the next time: the one that ends its
//! process again takes nobody along, and the others are back among the rest after one run.

use bgtask_model::{Declaration, Host};

use crate::{
    KillCause, Outcome,
    host::{Place, Share},
};

/// What ended the process under a run, if that is how it ended.
pub(super) const fn end_of_process(outcome: &Outcome) -> Option<&KillCause> {
    match outcome {
        // No body was there to be blamed.
        Outcome::Killed {
            cause: KillCause::HostSettings { .. } | KillCause::HostSetup { .. },
        } => None,
        Outcome::Killed { cause } => Some(cause),
        _ => None,
    }
}

/// Why the next run of a task has a process of its own, when it would share one otherwise.
pub(crate) fn kept_alone(declaration: &Declaration, last: &Outcome) -> Option<String> {
    let shares =
        declaration.host != Host::InProcess && Place::of(declaration, false).share != Share::Alone;
    let cause = end_of_process(last).filter(|_| shares)?;
    Some(format!("its last run ended with its process ({cause})"))
}

#[cfg(test)]
mod tests {
    use bgtask_model::{Options, Trigger};

    use super::*;

    fn declared(host: Host, options: Options) -> Declaration {
        Declaration {
            name: "task".to_owned(),
            function: "app::task".to_owned(),
            description: None,
            trigger: Trigger::Application,
            condition: None,
            host,
            options,
        }
    }

    #[test]
    fn only_the_end_of_a_shared_process_keeps_the_next_run_alone() {
        let killed = |cause| Outcome::Killed { cause };
        let aborted = killed(KillCause::Signal { signal: 6 });
        let shared = Host::Process { group: None };
        let task = declared(shared.clone(), Options::default());
        assert_eq!(
            kept_alone(&task, &aborted).as_deref(),
            Some("its last run ended with its process (signal 6 (abort))")
        );
        let setup = killed(KillCause::HostSetup {
            error: "no database here".to_owned(),
        });
        let panicked = Outcome::Panicked {
            message: "no".to_owned(),
        };
        for otherwise in [setup, panicked] {
            assert_eq!(kept_alone(&task, &otherwise), None);
        }
        let alone = Options {
            multiple_instances: true,
            ..Options::default()
        };
        for own in [
            declared(shared, alone),
            declared(Host::InProcess, Options::default()),
        ] {
            assert_eq!(kept_alone(&own, &aborted), None);
        }
    }
}
