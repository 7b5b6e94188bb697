//! What a host reports of one run, in order: one end and one vacating, whatever happens.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::HostEvent;
use crate::{
    KillCause, Outcome, Progress, RunId,
    task::{GivenBack, Stage},
};

/// The events of one run. Dropping it says that the body is gone.
#[derive(Debug)]
pub(super) struct Report {
    run: RunId,
    events: mpsc::UnboundedSender<HostEvent>,
    stage: Phase,
    latest: LatestProgress,
    cpu: Option<Duration>,
}

/// A run's last progress. While nobody has taken it, a newer one takes its place, so that a host
/// that floods its app with progress fills one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatestProgress(Arc<Mutex<Option<Progress>>>);

impl LatestProgress {
    /// `None` only when it was taken before.
    pub(crate) fn take(&self) -> Option<Progress> {
        self.place().take()
    }

    /// Whether the one before was taken.
    fn put(&self, progress: Progress) -> bool {
        self.place().replace(progress).is_none()
    }

    fn place(&self) -> MutexGuard<'_, Option<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, PartialEq)]
enum Phase {
    Accepted,
    Started,
    Ended,
}

impl Report {
    pub(super) fn new(run: RunId, events: mpsc::UnboundedSender<HostEvent>) -> Self {
        Self {
            run,
            events,
            stage: Phase::Accepted,
            latest: LatestProgress::default(),
            cpu: None,
        }
    }

    pub(super) fn started(&mut self, pid: u32) {
        if self.stage == Phase::Accepted {
            self.stage = Phase::Started;
            self.send(HostEvent::Started { run: self.run, pid });
        }
    }

    pub(super) fn progress(&self, progress: Progress) {
        if self.stage == Phase::Started && self.latest.put(progress) {
            self.send(HostEvent::Progress {
                run: self.run,
                progress: self.latest.clone(),
            });
        }
    }

    /// What a completed run changes of the app's data, just before its end.
    pub(super) fn staged(&self, changes: Stage) {
        if self.stage == Phase::Started && !changes.is_empty() {
            let run = self.run;
            self.send(HostEvent::Staged { run, changes });
        }
    }

    /// The socket that the run gives back, just before its end.
    pub(super) fn gave_back(&self, back: GivenBack) {
        if self.stage == Phase::Started {
            let run = self.run;
            self.send(HostEvent::GaveBack { run, back });
        }
    }

    /// The CPU time that the end tells of, if it is known.
    pub(super) fn used(&mut self, cpu: Option<Duration>) {
        self.cpu = cpu;
    }

    /// The first end counts; a later one is fenced off.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if self.stage != Phase::Ended {
            self.stage = Phase::Ended;
            self.send(HostEvent::Ended {
                run: self.run,
                outcome,
                cpu: self.cpu,
            });
        }
    }

    fn send(&self, event: HostEvent) {
        // Nobody listens any more when the broker is gone; there is nobody to tell then.
        let _ = self.events.send(event);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.end(Outcome::Killed {
            cause: KillCause::HostLost {
                detail: "its host was shut down before the run ended".to_owned(),
            },
        });
        self.send(HostEvent::Vacated { run: self.run });
    }
}
