//! What hosts, monitors and other processes report.

use std::{path::Path, time::Duration};

use bgtask_model::SystemEvent;
use tokio::sync::watch;

use super::{Active, Broker, RunView};
use crate::{
    ActivationId, ActivationRecord, CancelReason, Details, EventKind, NetworkDetails, Outcome,
    RunId,
    host::HostEvent,
    monitor::Change,
    scheduler::{Input, Raised, Waiting},
    store::Finish,
};

impl Broker {
    pub(super) fn host_event(&mut self, event: HostEvent) {
        match event {
            HostEvent::Started { run, pid } => {
                if let Some(active) = self.runs.get(&run).and_then(|id| self.active.get(id)) {
                    let activation = active.record.id;
                    let kind = EventKind::Started {
                        activation,
                        run,
                        pid: Some(pid),
                    };
                    self.tell(&active.record.task, kind);
                }
            }
            HostEvent::Progress { run, progress } => {
                let id = self.runs.get(&run).copied();
                let active = id.and_then(|id| self.active.get_mut(&id));
                let Some((active, progress)) = active.zip(progress.take()) else {
                    return;
                };
                if let Some(running) = &mut active.running {
                    running.progress = Some(progress.clone());
                }
                active
                    .view
                    .send_modify(|view| view.progress = Some(progress.clone()));
                let task = active.record.task.clone();
                self.tell(&task, EventKind::Progressed { run, progress });
            }
            HostEvent::Staged { run, changes } => {
                let id = self.runs.get(&run);
                let active = id.and_then(|id| self.active.get_mut(id));
                if let Some(running) = active.and_then(|active| active.running.as_mut()) {
                    running.changes = changes;
                }
            }
            HostEvent::GaveBack { run, back } => {
                let id = self.runs.get(&run);
                let active = id.and_then(|id| self.active.get_mut(id));
                if let Some(running) = active.and_then(|active| active.running.as_mut()) {
                    running.given_back = Some(back);
                }
            }
            HostEvent::Ended { run, outcome, cpu } => self.ended(run, outcome, cpu),
            HostEvent::Vacated { run } => {
                self.inhibitor.release(run);
                if let Some(id) = self.runs.remove(&run) {
                    self.vacated(id, run);
                }
            }
        }
    }

    fn ended(&mut self, run: RunId, outcome: Outcome, cpu: Option<Duration>) {
        let now = self.now();
        let Some(id) = self.runs.get(&run).copied() else {
            return;
        };
        let Some(active) = self.active.get_mut(&id) else {
            return;
        };
        let Some(running) = active.running.as_mut().filter(|running| running.run == run) else {
            return;
        };
        running.ended = true;
        // What is registered now says whether it is tried again; nothing waits for what is gone.
        let live = self.live.get(&active.record.registration);
        let retry = live.and_then(|live| live.declaration.options.retry.as_ref());
        let retry_at = super::retry::retry_at(retry, &outcome, running.attempt, id, now);
        let back = running.given_back.take();
        let (fence, progress) = (running.fence, running.progress.clone());
        let changes = std::mem::take(&mut running.changes);
        let back = active.take_back(back, retry_at.is_some());
        // Without its socket there is nothing to try again.
        let retry_at = retry_at.filter(|_| active.has_its_socket());
        if retry_at.is_none() {
            active.socket = None;
        }
        let finish = Finish {
            activation: id,
            fence,
            at: now,
            outcome,
            progress,
            retry_at,
            ends_registration: retry_at.is_none() && self.scheduler.ends_registration(id),
            data: super::data::changes(changes),
            cpu,
            on_battery: self.energy.is_on_battery(),
        };
        if let Some(held) = back {
            self.own(held);
        }
        match self.is_volatile(id) {
            true => self.finish_volatile(finish),
            false => self.batch.finishes.push(finish),
        }
    }

    /// The body of a run is gone: its slot is free once its end is recorded.
    fn vacated(&mut self, activation: ActivationId, run: RunId) {
        let active = self.active.get_mut(&activation);
        let running = active.and_then(|active| active.running.as_mut());
        match running.filter(|running| running.run == run) {
            Some(running) => running.vacated = true,
            None => self.inbox.push_back(Input::Vacated { activation }),
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Fact(predicate, fact) => self.inbox.push_back(Input::Fact(predicate, fact)),
            Change::System { event, network } => self.system_changed(event, network),
            Change::TimeZone(zone) => {
                self.inbox.push_back(Input::Zone(zone));
                self.system_changed(SystemEvent::TimeZoneChange, None);
            }
            Change::Raised { trigger, details } => {
                self.look_leads();
                let details = Details {
                    fired: self.now(),
                    ..*details
                };
                let what = Raised::Trigger(trigger);
                self.inbox.push_back(Input::Raised { what, details });
            }
            Change::Looked { trigger, sum } => self.looked(&trigger, sum),
            Change::Socket { id, reason } => self.socket_changed(id, reason),
            Change::Arrived { listener, arrival } => self.arrived(&listener, &arrival),
            Change::Power { power, events } => self.power_changed(power, events),
            Change::DeviceGone(path) => self.device_gone(&path),
            Change::Clock => {
                self.inbox.push_back(Input::Clock);
                self.restrict();
            }
        }
    }

    /// Fires what waits for a change of the system.
    pub(super) fn system_changed(&mut self, event: SystemEvent, network: Option<NetworkDetails>) {
        let details = Details {
            fired: self.now(),
            network,
            ..Details::default()
        };
        let what = Raised::System(event);
        self.inbox.push_back(Input::Raised { what, details });
    }

    /// What was requested for a device ends with it: Windows' policy for tasks that use one
    /// (<https://learn.microsoft.com/windows/uwp/launch-resume/access-sensors-and-devices-from-a-background-task>).
    fn device_gone(&mut self, path: &Path) {
        let reason = CancelReason::SystemPolicy;
        let of_it = self.active.iter().filter(|(_, active)| {
            let device = active.record.details.device_use.as_ref();
            device.is_some_and(|device| device.path == path)
        });
        let ends = of_it.map(|(activation, _)| Input::CancelRequested {
            activation: *activation,
            reason,
        });
        self.inbox.extend(ends);
    }

    /// Another process wrote to the store: takes what it accepted for us.
    pub(super) async fn reread(&mut self) {
        match self.store.activations().await {
            Ok(records) => self.take_unknown(records),
            Err(error) => tracing::warn!(%error, "the store could not be read again"),
        }
    }

    /// Takes what waits in the store and is not known here.
    pub(super) fn take_unknown(&mut self, records: Vec<ActivationRecord>) {
        for record in records {
            if record.run.is_none() && !self.active.contains_key(&record.id) {
                self.accept(record, false);
            }
        }
    }

    /// Takes a persisted activation into account, `kept` from the last launch or new; what its
    /// requester may watch is returned.
    pub(super) fn accept(
        &mut self,
        record: ActivationRecord,
        kept: bool,
    ) -> Option<watch::Receiver<RunView>> {
        let id = record.id;
        let view = self.expect(record, kept);
        self.persisted(id);
        view
    }

    /// Takes an activation into account that is about to be persisted, so that what follows from
    /// it can share its commit; what its requester may watch is returned.
    /// [`persisted`](Self::persisted) or [`not_persisted`](Self::not_persisted) follows.
    pub(super) fn expect(
        &mut self,
        record: ActivationRecord,
        kept: bool,
    ) -> Option<watch::Receiver<RunView>> {
        self.expect_as(record, kept, false)
    }

    /// As [`expect`](Self::expect); what is `volatile` will not be persisted.
    pub(super) fn expect_as(
        &mut self,
        record: ActivationRecord,
        kept: bool,
        volatile: bool,
    ) -> Option<watch::Receiver<RunView>> {
        let live = self.live.get(&record.registration);
        let Some(live) = live.filter(|live| !live.refused) else {
            self.drop_socket_of(&record.details);
            return None;
        };
        let (view, watched) = watch::channel(RunView {
            journaled: record.journal && !volatile,
            ..RunView::default()
        });
        let waiting = Waiting {
            id: record.id,
            registration: record.registration,
            accepted: record.accepted,
            not_before: record.not_before,
            attempt: record.attempt,
            kept,
            details: record.details.clone(),
            foreign: record.foreign,
        };
        let id = record.id;
        let device = record.details.device_use.as_ref();
        let device = device.map(|device| self.presence.take(&device.path));
        let socket = record.details.socket.as_ref();
        let socket = socket.and_then(|socket| self.sockets.claim(socket.firing));
        let active = Active {
            record,
            declaration: std::sync::Arc::clone(&live.declaration),
            entry: live.entry.clone(),
            group: live.group.clone(),
            view,
            onlookers: std::sync::Arc::default(),
            running: None,
            volatile,
            kept: false,
            held: false,
            untold: None,
            logged: None,
            hit: false,
            _device: device,
            socket,
        };
        self.active.insert(id, active);
        self.inbox.push_back(Input::Accepted(waiting));
        Some(watched)
    }

    /// It is persisted: tells of it.
    pub(super) fn persisted(&mut self, activation: ActivationId) {
        let Some(active) = self.active.get_mut(&activation) else {
            return;
        };
        if std::mem::replace(&mut active.kept, true) {
            return;
        }
        let (task, untold) = (active.record.task.clone(), active.untold.take());
        self.tell(&task, EventKind::Fired { activation });
        if let Some(reason) = untold {
            self.tell(&task, EventKind::Held { activation, reason });
        }
    }

    /// It could not be persisted: it is as if it had never been.
    pub(super) fn not_persisted(&mut self, activation: ActivationId) {
        self.active.remove(&activation);
        self.batch.forget(activation);
        self.log.forget(activation);
        self.inbox.push_back(Input::Gone { activation });
    }

    /// A run that started although everything is to stop.
    pub(super) fn stop_late_start(&mut self, run: RunId) {
        let Some(active) = self.runs.get(&run).and_then(|id| self.active.get(id)) else {
            return;
        };
        let goes_on = match self.phase {
            super::Phase::Open => true,
            super::Phase::Lingering => {
                self.linger && super::ending::outlives_main(&active.declaration)
            }
            super::Phase::Stopping => false,
        };
        if !goes_on {
            self.cancel_run(run, CancelReason::Terminating);
        }
    }
}
