//! What happened, on its way to the log: written with what else a turn writes.

use jiff::Timestamp;

use super::Broker;
use crate::{
    AccessStatus, ActivationId, Event, EventKind, RegistrationId, Result, Suppression,
    store::{LogQuery, is_kept},
};

/// Where the store keeps the access that was told last.
const ACCESS: &str = "access status";

/// At most so many events wait for a store that refuses them.
const MOST: usize = 10_000;

/// So often in a row the log may be refused before what waits is given up.
const TRIES: u32 = 10;

/// How far back it is looked for what an activation was last held for.
const LOOKED_BACK: u32 = 1000;

/// What concerns the whole app has no task.
pub(super) const APP: &str = "";

/// Events that wait to be written.
#[derive(Default)]
pub(super) struct Log {
    events: Vec<Event>,
    /// The access that was told last.
    told: Option<AccessStatus>,
    /// To be kept as such.
    keep: Option<AccessStatus>,
    /// How often in a row the store refused.
    refused: u32,
}

/// What is written together.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    access: Option<AccessStatus>,
}

impl Page {
    /// The text that the store keeps of the access, and where.
    pub(super) fn access(&self) -> Option<(&'static str, String)> {
        self.access
            .map(|status| (ACCESS, status.as_str().to_owned()))
    }
}

impl Log {
    fn push(&mut self, event: Event) {
        if !is_kept(&event) {
            return;
        }
        if self.events.len() < MOST {
            self.events.push(event);
        } else {
            tracing::warn!(?event, "not logged: the store takes nothing");
        }
    }

    /// Whether it is worth a write of its own. What was refused waits for the next one.
    pub(super) fn is_due(&self) -> bool {
        self.refused == 0 && !(self.events.is_empty() && self.keep.is_none())
    }

    pub(super) fn take(&mut self) -> Page {
        Page {
            events: std::mem::take(&mut self.events),
            access: self.keep.take(),
        }
    }

    /// It was written, or not: nobody waits for that.
    pub(super) fn written(&mut self, mut page: Page, written: Result<()>) {
        let Err(error) = written else {
            self.refused = 0;
            return;
        };
        self.refused += 1;
        if self.refused >= TRIES {
            let events = page.events.len();
            tracing::error!(%error, events, "given up: the log cannot be written");
            self.refused = 0;
            return;
        }
        page.events.append(&mut self.events);
        self.events = page.events;
        self.keep = self.keep.or(page.access);
    }

    /// Drops what is told of an activation that could not be accepted.
    pub(super) fn forget(&mut self, id: ActivationId) {
        self.events.retain(|event| {
            !matches!(
                &event.kind,
                EventKind::Held { activation, .. } | EventKind::Released { activation }
                    if *activation == id
            )
        });
    }
}

impl Broker {
    /// Tells that a due time or an event made no activation.
    pub(super) fn note(&self, registration: RegistrationId, why: Suppression) {
        if let Some(live) = self.live.get(&registration) {
            let activation = None;
            self.tell(&live.name, EventKind::Suppressed { activation, why });
        }
    }

    /// Logs something of a registration, with what is written of it.
    pub(super) fn log_of(&mut self, registration: RegistrationId, kind: EventKind) {
        if let Some(live) = self.live.get(&registration) {
            let name = live.name.clone();
            self.log(&name, self.now(), kind);
        }
    }

    /// Tells what happened, now and in the log.
    pub(super) fn emit(&mut self, task: &str, kind: EventKind) {
        self.log(task, self.now(), kind.clone());
        self.tell(task, kind);
    }

    /// Tells what happened to who listens now.
    pub(super) fn tell(&self, task: &str, kind: EventKind) {
        tracing::debug!(task, ?kind);
        if self.events.receiver_count() == 0 {
            return;
        }
        // Who listened may have gone.
        let _ = self.events.send(Event {
            at: self.now(),
            task: task.to_owned(),
            kind,
        });
    }

    /// Keeps what happened, with the next write.
    pub(super) fn log(&mut self, task: &str, at: Timestamp, kind: EventKind) {
        let task = task.to_owned();
        self.log.push(Event { at, task, kind });
    }

    /// Tells the access if it is another one than was told last.
    pub(super) fn tell_access(&mut self) {
        let status = self.access.status();
        if self.log.told.replace(status) != Some(status) {
            self.log.keep = Some(status);
            self.emit(APP, EventKind::AccessChanged { status });
        }
    }

    /// Learns which access was told last, before this launch; the first one is no change.
    pub(super) async fn recall_access(&mut self) -> Result<()> {
        let status = self.access.status();
        match self.store.meta(ACCESS).await? {
            Some(told) if told == status.as_str() => self.log.told = Some(status),
            Some(_) => self.tell_access(),
            None => {
                self.log.told = Some(status);
                self.log.keep = Some(status);
            }
        }
        Ok(())
    }

    /// Learns what those that wait were last held for, so that a launch does not tell it again.
    pub(super) async fn recall_holds(&mut self) -> Result<()> {
        if self.active.is_empty() {
            return Ok(());
        }
        let newest = LogQuery {
            limit: LOOKED_BACK,
            ..LogQuery::default()
        };
        for event in self.store.read_log(newest).await? {
            if let EventKind::Held { activation, reason } = event.kind
                && let Some(active) = self.active.get_mut(&activation)
            {
                active.logged.get_or_insert(reason);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Error};

    fn held() -> Event {
        Event {
            at: Timestamp::UNIX_EPOCH,
            task: "task".to_owned(),
            kind: EventKind::Held {
                activation: ActivationId::now(),
                reason: "internet".to_owned(),
            },
        }
    }

    fn refused() -> Result<()> {
        Err(Error::new(Code::StoreFull, "full"))
    }

    #[test]
    fn what_is_refused_waits_for_another_write_and_is_given_up_in_the_end() {
        let mut log = Log::default();
        log.push(held());
        for _ in 1..TRIES {
            assert!(!log.events.is_empty());
            let page = log.take();
            log.written(page, refused());
            assert!(!log.is_due(), "nothing is written for it alone");
        }
        let page = log.take();
        log.written(page, refused());
        assert!(log.events.is_empty());
        log.push(held());
        assert!(log.is_due(), "what happens later is tried again");
    }

    #[test]
    fn what_was_refused_stays_before_what_came_later() {
        let mut log = Log::default();
        let [first, second] = [held(), held()];
        log.push(first.clone());
        let page = log.take();
        log.push(second.clone());
        log.written(page, refused());
        let page = log.take();
        assert_eq!(page.events, [first, second]);
        log.written(page, Ok(()));
        assert!(!log.is_due() && log.events.is_empty());
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let mut log = Log::default();
        let event = held();
        for _ in 0..MOST + 5 {
            log.push(event.clone());
        }
        assert_eq!(log.events.len(), MOST);
        let EventKind::Held { activation, .. } = event.kind else {
            panic!("{event:?}");
        };
        log.forget(activation);
        assert!(!log.is_due());
    }
}
