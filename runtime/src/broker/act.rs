//! What the scheduler decides is done, or put down to be written first.

use super::{Broker, batch::Reply};
use crate::{
    EventKind, RunId, Suppression,
    scheduler::{Action, Input},
    store::{Claim, Note, Suppress},
};

impl Broker {
    /// Tells the scheduler everything that came in, and acts on what it decides.
    pub(super) fn decide(&mut self) {
        loop {
            if let Some(input) = self.inbox.pop_front() {
                let now = self.now();
                for action in self.scheduler.decide(now, input) {
                    self.act(action);
                }
            } else if let Some(unwritten) = self.unwritten.pop_front() {
                self.tell_unwritten(unwritten);
            } else {
                break;
            }
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        let at = self.now();
        match action {
            Action::Fire(fire) => {
                if let Some(why) = fire.suppressed.clone() {
                    self.log_of(fire.registration, unstarted(why));
                }
                self.batch.fires.push(fire);
            }
            Action::Enqueue(activations) => self.enqueue(activations, Reply::Nobody),
            Action::Start { activation, .. } if self.is_volatile(activation) => {
                self.start_volatile(activation, at);
            }
            Action::Start { activation, .. } => {
                self.batch.claims.push(Claim {
                    activation,
                    run: RunId::now(),
                    at,
                });
                if let Some(active) = self.active.get(&activation).filter(|active| active.held) {
                    let task = active.record.task.clone();
                    self.log(&task, at, EventKind::Released { activation });
                }
            }
            Action::Cancel { activation, reason } => {
                let run = self
                    .active
                    .get(&activation)
                    .and_then(|active| Some(active.running.as_ref()?.run));
                if let Some(run) = run {
                    self.cancel_run(run, reason);
                }
            }
            Action::Suppress {
                activation, why, ..
            } if self.is_volatile(activation) => {
                self.inbox.push_back(Input::Gone { activation });
                // Perhaps in the turn in which it fired.
                self.persisted(activation);
                self.suppressed(activation, at, why);
            }
            Action::Suppress {
                activation,
                why,
                ends_registration,
            } => self.batch.suppressions.push(Suppress {
                activation,
                at,
                why,
                ends_registration,
            }),
            Action::Hold { activation, reason } => {
                let Some(active) = self.active.get_mut(&activation) else {
                    return;
                };
                active.held = true;
                let is_news = !active.volatile && active.logged.as_ref() != Some(&reason);
                active.logged = Some(reason.clone());
                let is_kept = active.kept;
                if !is_kept {
                    active.untold = Some(reason.clone());
                }
                let task = active.record.task.clone();
                let kind = EventKind::Held { activation, reason };
                if is_news {
                    self.log(&task, at, kind.clone());
                }
                if is_kept {
                    self.tell(&task, kind);
                }
            }
            Action::Note { registration, why } if self.makes_volatile(registration) => {
                self.note(registration, why);
            }
            Action::Note { registration, why } => {
                self.log_of(registration, unstarted(why.clone()));
                self.batch.notes.push(Note {
                    registration,
                    at,
                    why,
                });
            }
            Action::Throttled { registration } => {
                self.log_of(registration, EventKind::Throttled);
                self.batch.throttled.push(registration);
            }
        }
    }
}

/// What is told of a fire that makes no activation.
fn unstarted(why: Suppression) -> EventKind {
    let activation = None;
    EventKind::Suppressed { activation, why }
}
