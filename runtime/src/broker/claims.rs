//! What starts: a claim is written before a host is told of the run.

use std::{collections::HashSet, sync::Arc};

use super::{Broker, Running, blame, sockets};
use crate::{
    ActivationId, EventKind, Outcome, Result,
    host::{Assignment, HostEvent, Limits, Place},
    scheduler::Input,
    store::{Claim, Lease, Release},
    task::Stage,
};

impl Broker {
    pub(super) fn claimed(
        &mut self,
        claims: Vec<Claim>,
        leases: Result<Vec<Option<Lease>>>,
        late: &HashSet<ActivationId>,
    ) -> Result<()> {
        let leases = match leases {
            Ok(leases) => leases,
            Err(error) => {
                let again = |one: &Claim| self.is_to_be_tried(one.activation, late);
                let again: Vec<_> = claims.into_iter().filter(again).collect();
                self.batch.claims.extend(again);
                return Err(error);
            }
        };
        for (claim, lease) in claims.into_iter().zip(leases) {
            let activation = claim.activation;
            if lease.is_none() && late.contains(&activation) {
                if self.active.contains_key(&activation) {
                    self.batch.claims.push(claim);
                }
                continue;
            }
            let (Some(lease), true) = (lease, self.active.contains_key(&activation)) else {
                self.active.remove(&activation);
                self.inbox.push_back(Input::Gone { activation });
                continue;
            };
            if self.scheduler.is_held_back(activation) {
                let run = claim.run;
                self.batch.releases.push(Release { activation, run });
                continue;
            }
            self.begin(&claim, &lease);
        }
        Ok(())
    }

    /// What was claimed and not started waits again.
    pub(super) fn released(&mut self, releases: Vec<Release>, written: Result<()>) -> Result<()> {
        if let Err(error) = written {
            self.batch.releases.extend(releases);
            return Err(error);
        }
        for Release { activation, .. } in releases {
            if let Some(active) = self.active.get_mut(&activation) {
                active.held = false;
                active.logged = None;
            }
            self.inbox.push_back(Input::Unclaimed { activation });
        }
        Ok(())
    }

    /// Hands a claimed activation to its host.
    pub(super) fn begin(&mut self, claim: &Claim, lease: &Lease) {
        let Claim {
            activation,
            run,
            at,
        } = *claim;
        let Some(active) = self.active.get_mut(&activation) else {
            return;
        };
        // What was held so shortly that nobody was told is not released.
        let was_held = std::mem::take(&mut active.held) && active.untold.take().is_none();
        active.logged = None;
        active.running = Some(Running {
            run,
            fence: lease.fence,
            attempt: lease.attempt,
            started: at,
            progress: None,
            changes: Stage::default(),
            given_back: None,
            asked: None,
            ended: false,
            vacated: false,
        });
        let declaration = Arc::clone(&active.declaration);
        let socket = Self::socket_of(active);
        let last = self.last_outcome.get(&active.record.task);
        // Also after a run of the task that went well: this very activation may be to blame.
        let alone =
            active.hit || last.is_some_and(|(_, last)| blame::end_of_process(last).is_some());
        let assignment = Assignment {
            run,
            task: active.record.task.clone(),
            entry: active.entry.clone(),
            group: active.group.clone(),
            attempt: lease.attempt,
            fence: lease.fence,
            details: active.record.details.clone(),
            limits: Limits::of(&declaration),
            max_result: self.max_payload,
            metered: self.energy.is_metered(),
            place: Place::of(&declaration, alone),
            socket: socket.clone().flatten(),
        };
        self.runs.insert(run, activation);
        self.inbox.push_back(Input::Started { activation });
        if was_held && let Some(active) = self.active.get(&activation) {
            self.tell(&active.record.task, EventKind::Released { activation });
        }
        if socket == Some(None) {
            let error = sockets::GONE.to_owned();
            self.host_event(HostEvent::Ended {
                run,
                outcome: Outcome::Failed { error },
                cpu: None,
            });
            return self.host_event(HostEvent::Vacated { run });
        }
        if declaration.options.network_requested {
            self.inhibitor.hold(run, &assignment.task);
        }
        self.host_of(&declaration).start(assignment);
        self.stop_late_start(run);
    }
}
