//! Ends on request: of a run, and of the app.

use std::collections::BTreeSet;

use bgtask_model::Declaration;
use uuid::fmt::Hyphenated;

use super::{Broker, Phase, check::requestable, command::Cancelling};
use crate::{ActivationId, CancelReason, Code, Error, EventKind, Result, RunId, scheduler::Input};

impl Broker {
    /// `main` has returned.
    pub(super) fn close(&mut self, linger: bool) {
        if self.phase != Phase::Open {
            return;
        }
        self.phase = Phase::Lingering;
        self.linger = linger;
        self.headless
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.inbox.push_back(Input::Drain);
        self.sockets.close();
        drop(self.watch_sources());
        let ending: Vec<RunId> = self
            .active
            .values()
            .filter(|active| !(linger && outlives_main(&active.declaration)))
            .filter_map(|active| Some(active.running.as_ref()?.run))
            .collect();
        for run in ending {
            self.cancel_run(run, CancelReason::Terminating);
        }
        self.lose_volatile(CancelReason::Terminating);
    }

    /// Everything is asked to stop; what waits is kept.
    pub(super) fn stop(&mut self, reason: CancelReason) {
        if self.phase == Phase::Stopping {
            return;
        }
        self.phase = Phase::Stopping;
        self.inbox.push_back(Input::Drain);
        self.sockets.close();
        drop(self.watch_sources());
        let running: Vec<RunId> = self.runs.keys().copied().collect();
        for run in running {
            self.cancel_run(run, reason);
        }
        self.lose_volatile(reason);
    }

    /// Asks what an id names, or the beginning of one, to stop. `None`: nothing here is called so.
    pub(super) fn cancel_named(
        &mut self,
        id: &str,
        reason: CancelReason,
    ) -> Result<Option<Cancelling>> {
        let Some(activation) = self.named(id)? else {
            return Ok(None);
        };
        let Some(active) = self.active.get(&activation) else {
            return Err(Error::new(
                Code::RunEnded,
                "its end is recorded, and its body cannot be stopped",
            )
            .remedy("`bgtask why` shows it until it returns"));
        };
        let running = active.running.as_ref();
        let cancelling = Cancelling {
            task: active.record.task.clone(),
            activation,
            run: running.map(|running| running.run),
            reason: running.and_then(|one| one.asked).unwrap_or(reason),
            grace: active.declaration.grace(),
        };
        self.inbox
            .push_back(Input::CancelRequested { activation, reason });
        Ok(Some(cancelling))
    }

    /// The activation that runs or waits under this id of its own or of its run, or the beginning
    /// of one.
    fn named(&self, id: &str) -> Result<Option<ActivationId>> {
        if id.is_empty() || id.len() > Hyphenated::LENGTH {
            return Err(Error::new(Code::UnknownRun, "that is no id of a run")
                .remedy("`bgtask list` shows the ids"));
        }
        let id = id.to_lowercase();
        let begins = |text: String| text.starts_with(&id);
        let runs = self.runs.iter();
        let of_runs = runs.filter_map(|(run, of)| begins(run.to_string()).then_some(of));
        let own = self.active.keys().chain(self.runs.values());
        let own = own.filter(|activation| begins(activation.to_string()));
        let found: BTreeSet<_> = of_runs.chain(own).copied().collect();
        if found.len() > 1 {
            return Err(Error::new(
                Code::UnknownRun,
                format!("several runs have an id that begins with `{id}`"),
            )
            .remedy("write more of it; `bgtask list` shows the ids"));
        }
        Ok(found.first().copied())
    }

    pub(super) fn cancel_run(&mut self, run: RunId, reason: CancelReason) {
        let Some(id) = self.runs.get(&run) else {
            return;
        };
        let Some(active) = self.active.get_mut(id) else {
            return;
        };
        let running = active.running.as_mut();
        // The first to ask counts.
        let is_asked = running.is_none_or(|running| match running.asked {
            Some(_) => true,
            None => {
                running.asked = Some(reason);
                false
            }
        });
        let declaration = std::sync::Arc::clone(&active.declaration);
        let (task, volatile) = (active.record.task.clone(), active.volatile);
        self.host_of(&declaration).cancel(run, reason);
        let kind = EventKind::CancelRequested { run, reason };
        match volatile {
            _ if is_asked => {}
            true => self.tell(&task, kind),
            false => self.emit(&task, kind),
        }
    }
}

/// Whether a run goes on when `main` has returned: a requested one in a process of its own.
pub(super) fn outlives_main(declaration: &Declaration) -> bool {
    requestable(declaration) && matches!(declaration.host, bgtask_model::Host::Process { .. })
}
