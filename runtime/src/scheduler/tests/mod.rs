//! Rules of the scheduler, as tables and as histories.

mod changes;
mod due;
mod gates;
mod guide;
mod history;
mod keys;
mod later;
mod missed;
mod model;
mod once;
mod overlap;
mod pending;
mod replaced;
mod why;
mod withhold;

use std::sync::Arc;

use bgtask_model::{Declaration, Host, Options, Overlap, Pending, Predicate};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Action, Input, Raised, Registered, Scheduler, Waiting};
use crate::{
    ActivationId, CancelReason, Details, Fact, Reading, RegistrationId, Standing, Suppression,
    store::{Fire, NewActivation},
};

/// 2025-01-01 00:00 UTC and so many seconds.
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

fn registration(number: u8) -> RegistrationId {
    RegistrationId::from_bytes([number; 16])
}

fn declare(trigger: &str, condition: &str, options: Options) -> Declaration {
    Declaration {
        name: "task".to_owned(),
        function: "app::task".to_owned(),
        description: None,
        trigger: trigger.parse().unwrap(),
        condition: (!condition.is_empty()).then(|| condition.parse().unwrap()),
        host: Host::InProcess,
        options,
    }
}

fn overlapping(overlap: Overlap) -> Options {
    Options {
        overlap: Some(overlap),
        ..Options::default()
    }
}

fn pending(pending: Pending) -> Options {
    Options {
        pending: Some(pending),
        ..Options::default()
    }
}

/// A scheduler, and a store and a broker that do what it says at once.
struct World {
    scheduler: Scheduler,
    now: Timestamp,
    /// Everything it said, oldest first.
    said: Vec<Action>,
    /// Accepts what was fired and enqueued, and confirms starts.
    obedient: bool,
}

impl World {
    fn new() -> Self {
        Self {
            scheduler: Scheduler::new(TimeZone::UTC),
            now: at(0),
            said: Vec::new(),
            obedient: true,
        }
    }

    /// With one registration, number 1, made at the start.
    fn with(declaration: Declaration) -> Self {
        let mut world = Self::new();
        world.register(1, declaration);
        world
    }

    fn register(&mut self, number: u8, declaration: Declaration) {
        let due = Scheduler::first_due(&declaration, self.now, &TimeZone::UTC).unwrap();
        self.register_due(number, declaration, due);
    }

    fn register_due(&mut self, number: u8, declaration: Declaration, due: Option<Timestamp>) {
        self.tell(Input::Register(Box::new(Registered {
            id: registration(number),
            declaration: Arc::new(declaration),
            due,
            fired: None,
            generation: 0,
            last_suppression: None,
            ended: None,
            standing: Standing::Enabled,
            refused: None,
            replaces: None,
        })));
    }

    fn tell(&mut self, input: Input) {
        let said = self.scheduler.decide(self.now, input);
        self.said.extend(said.iter().cloned());
        if !self.obedient {
            return;
        }
        for action in said {
            match action {
                Action::Fire(fire) => {
                    for new in fire.activations {
                        self.accept(new);
                    }
                    self.tell(Input::Fired {
                        registration: fire.registration,
                        generation: fire.generation + 1,
                        due: fire.next,
                    });
                }
                Action::Enqueue(all) => all.into_iter().for_each(|new| self.accept(new)),
                Action::Start { activation, .. } => self.tell(Input::Started { activation }),
                _ => {}
            }
        }
    }

    fn accept(&mut self, new: NewActivation) {
        let waiting = Waiting {
            id: new.id,
            registration: new.registration,
            accepted: self.now,
            not_before: new.not_before,
            attempt: 0,
            kept: false,
            details: new.details,
            foreign: false,
        };
        self.tell(Input::Accepted(waiting));
    }

    /// What the app asks for.
    fn request(&mut self, number: u8) -> ActivationId {
        let id = ActivationId::now();
        self.request_as(number, id, 0, self.now);
        id
    }

    fn request_as(&mut self, number: u8, id: ActivationId, attempt: u32, not_before: Timestamp) {
        let (registration, accepted) = (registration(number), self.now);
        self.tell(Input::Accepted(Waiting {
            id,
            registration,
            accepted,
            not_before,
            attempt,
            kept: false,
            details: Details::default(),
            foreign: false,
        }));
    }

    fn go(&mut self, seconds: i64) {
        self.now = at(seconds);
        self.tell(Input::Time);
    }

    fn fact(&mut self, predicate: Predicate, reading: Reading) {
        let (base, _) = predicate.base();
        let since = self.now;
        let source = "test".to_owned();
        self.tell(Input::Fact(
            base,
            Fact {
                reading,
                source,
                since,
            },
        ));
    }

    fn raise(&mut self, what: Raised) {
        let details = Details::default();
        self.tell(Input::Raised { what, details });
    }

    fn end(&mut self, activation: ActivationId) {
        self.tell(Input::Ended {
            activation,
            slot_free: true,
            retry: None,
        });
    }

    fn ended_with(&mut self, activation: ActivationId, slot_free: bool, retry: Option<i64>) {
        self.tell(Input::Ended {
            activation,
            slot_free,
            retry: retry.map(at),
        });
    }

    fn started(&self) -> Vec<ActivationId> {
        let start = |action: &Action| match action {
            Action::Start { activation, .. } => Some(*activation),
            _ => None,
        };
        self.said.iter().filter_map(start).collect()
    }

    fn fires(&self) -> Vec<&Fire> {
        fn fire(action: &Action) -> Option<&Fire> {
            match action {
                Action::Fire(fire) => Some(fire),
                _ => None,
            }
        }
        self.said.iter().filter_map(fire).collect()
    }

    /// The due times of every activation of every fire, in seconds.
    fn scheduled(&self) -> Vec<i64> {
        let of = |new: &NewActivation| new.details.scheduled.unwrap().duration_since(at(0));
        let fires = self.fires().into_iter().flat_map(|fire| &fire.activations);
        fires.map(|new| of(new).as_secs()).collect()
    }

    fn suppressed(&self) -> Vec<(ActivationId, Suppression)> {
        let suppress = |action: &Action| match action {
            Action::Suppress {
                activation, why, ..
            } => Some((*activation, why.clone())),
            _ => None,
        };
        self.said.iter().filter_map(suppress).collect()
    }

    fn cancelled(&self) -> Vec<(ActivationId, CancelReason)> {
        let cancel = |action: &Action| match action {
            Action::Cancel { activation, reason } => Some((*activation, *reason)),
            _ => None,
        };
        self.said.iter().filter_map(cancel).collect()
    }

    fn held(&self) -> Vec<&str> {
        fn hold(action: &Action) -> Option<&str> {
            match action {
                Action::Hold { reason, .. } => Some(reason),
                _ => None,
            }
        }
        self.said.iter().filter_map(hold).collect()
    }

    fn notes(&self) -> Vec<Suppression> {
        let note = |action: &Action| match action {
            Action::Note { why, .. } => Some(why.clone()),
            _ => None,
        };
        self.said.iter().filter_map(note).collect()
    }
}
