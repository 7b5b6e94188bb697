//! Random histories, each step checked against a model of what may be.

use std::collections::{BTreeMap, BTreeSet};

use bgtask_model::{Missed, Overlap, Pending};
use proptest::prelude::*;

use super::*;

const REGISTRATIONS: u8 = 5;
/// The wait of every retry.
const BACKOFF: SignedDuration = SignedDuration::from_secs(7);

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    ClockBack(i64),
    Fact(bool, Reading),
    Raise,
    Request(u8),
    /// For so many seconds later.
    Later(u8, i64),
    /// One of the answers that are still owed: which, and whether it is a good one.
    Answer(usize, bool),
    /// The end of one of the active runs: slot free, retry.
    End(usize, bool, bool),
    Vacate(usize),
    Cancel(usize),
    Unregister(u8),
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reading = prop_oneof![
        Just(Reading::Unknown),
        any::<bool>().prop_map(Reading::Known),
        any::<bool>().prop_map(Reading::Guess),
    ];
    let step = prop_oneof![
        6 => (0..40_i64).prop_map(Step::Wait),
        1 => (0..40_000_i64).prop_map(Step::Wait),
        1 => (0..4000_i64).prop_map(Step::ClockBack),
        4 => (any::<bool>(), reading).prop_map(|(which, reading)| Step::Fact(which, reading)),
        3 => Just(Step::Raise),
        6 => (0..REGISTRATIONS).prop_map(Step::Request),
        2 => (0..REGISTRATIONS, 1..90_i64).prop_map(|(of, after)| Step::Later(of, after)),
        16 => (any::<usize>(), prop::bool::weighted(0.85)).prop_map(|(i, good)| Step::Answer(i, good)),
        8 => (any::<usize>(), any::<bool>(), any::<bool>()).prop_map(|(i, free, retry)| Step::End(i, free, retry)),
        4 => any::<usize>().prop_map(Step::Vacate),
        2 => any::<usize>().prop_map(Step::Cancel),
        1 => (0..REGISTRATIONS).prop_map(Step::Unregister),
    ];
    // Most histories end without a drain in their midst.
    let tail = prop_oneof![3 => Just(vec![]), 1 => Just(vec![Step::Drain])];
    (
        prop::collection::vec(step.clone(), 1..120),
        tail,
        prop::collection::vec(step, 0..20),
    )
        .prop_map(|(first, tail, last)| [first, tail, last].concat())
}

fn options() -> impl Strategy<Value = Options> {
    (
        prop::option::of(prop_oneof![
            Just(Overlap::Skip),
            (1..3_u32).prop_map(Overlap::Queue),
            Just(Overlap::Replace),
            (1..4_u32).prop_map(Overlap::Allow),
        ]),
        prop::option::of(prop_oneof![
            Just(Pending::Latest),
            Just(Pending::First),
            (1..3_u32).prop_map(Pending::Queue),
        ]),
        prop::option::of(prop_oneof![
            Just(Missed::Skip),
            (1..4_u32).prop_map(Missed::All),
        ]),
        prop::option::of(Just("key".to_owned())),
        prop::option::weighted(0.2, Just("one".to_owned())),
        -2..3_i32,
        any::<bool>(),
    )
        .prop_map(
            |(overlap, pending, missed, exclusive, unique, priority, loss)| Options {
                overlap,
                pending,
                missed,
                exclusive,
                unique,
                priority,
                cancel_on_condition_loss: loss,
                ..Options::default()
            },
        )
}

fn declarations() -> impl Strategy<Value = Vec<Declaration>> {
    let one = (
        prop::sample::select(vec![
            "every(\"10s\")",
            "every(\"25s\", once)",
            "cron(\"* * * * *\")",
            "custom(\"now\")",
            "application",
        ]),
        prop::sample::select(vec![
            "",
            "internet",
            "internet && ac_power",
            "!internet || ac_power",
        ]),
        options(),
    );
    let one = one.prop_map(|(trigger, condition, options)| declare(trigger, condition, options));
    prop::collection::vec(one, REGISTRATIONS as usize)
}

/// What the store and the hosts would know.
#[derive(Default)]
struct Model {
    declarations: BTreeMap<RegistrationId, Declaration>,
    removed: BTreeSet<RegistrationId>,
    facts: BTreeMap<Predicate, Reading>,
    waiting: BTreeMap<ActivationId, Waiting>,
    active: BTreeMap<ActivationId, Waiting>,
    confirmed: BTreeSet<ActivationId>,
    overrun: Vec<Waiting>,
    owed: Vec<Action>,
    draining: bool,
    firing: BTreeSet<RegistrationId>,
}

impl Model {
    fn running(&self, id: RegistrationId) -> usize {
        let all = self.active.values().chain(&self.overrun);
        all.filter(|run| run.registration == id).count()
    }

    fn key(&self, id: RegistrationId) -> Option<&String> {
        self.declarations[&id].options.exclusive.as_ref()
    }

    fn open(&self, id: RegistrationId) -> bool {
        self.declarations[&id]
            .condition
            .as_ref()
            .is_none_or(|condition| {
                condition.evaluate(&mut |predicate| {
                    let reading = self.facts.get(predicate).copied();
                    reading.unwrap_or(Reading::Unknown).truth()
                }) == bgtask_model::Truth::True
            })
    }

    /// Why it may not start now.
    fn forbids(&self, waiting: &Waiting, now: Timestamp) -> Option<&'static str> {
        let id = waiting.registration;
        let slots = match self.declarations[&id].options.overlap {
            Some(Overlap::Allow(n)) => n as usize,
            _ => 1,
        };
        let all = self.active.values().chain(&self.overrun);
        let taken = |run: &Waiting| self.key(run.registration).is_some();
        if self.draining {
            Some("draining")
        } else if waiting.not_before > now {
            Some("not before its time")
        } else if !self.open(id) {
            Some("its condition is not true")
        } else if self.running(id) >= slots {
            Some("no slot")
        } else if self.key(id).is_some() && all.into_iter().any(taken) {
            Some("the key is taken")
        } else {
            None
        }
    }

    /// Checks and carries out what the scheduler said.
    fn obey(&mut self, actions: Vec<Action>, now: Timestamp) {
        for action in actions {
            match &action {
                Action::Start {
                    activation,
                    registration,
                } => {
                    let waiting = self
                        .waiting
                        .remove(activation)
                        .expect("only what waits starts");
                    assert_eq!(waiting.registration, *registration);
                    assert_eq!(self.forbids(&waiting, now), None);
                    assert!(
                        self.active.insert(*activation, waiting).is_none(),
                        "started twice"
                    );
                    self.owed.push(action);
                }
                Action::Suppress {
                    activation, why, ..
                } => {
                    let waiting = self
                        .waiting
                        .remove(activation)
                        .expect("only what waits is suppressed");
                    let by_hand =
                        matches!(why, Suppression::Cancelled { .. } | Suppression::Removed);
                    assert!(
                        by_hand || !kept_aside(&waiting, now),
                        "{waiting:?} gave way before its time: {why}"
                    );
                }
                Action::Cancel { activation, .. } => {
                    assert!(
                        self.confirmed.contains(activation),
                        "cancelled before it ran"
                    );
                }
                Action::Hold { activation, .. } => {
                    assert!(
                        self.waiting.contains_key(activation),
                        "only what waits is held"
                    );
                }
                Action::Fire(fire) => {
                    assert!(!self.draining);
                    assert!(self.firing.insert(fire.registration), "two fires in flight");
                    assert!(
                        fire.next.is_none_or(|next| next > now),
                        "{fire:?} leaves one behind"
                    );
                    let moved = fire.activations.is_empty() && fire.suppressed.is_none();
                    assert!(moved || fire.activations.is_empty() == fire.suppressed.is_some());
                    self.owed.push(action);
                }
                Action::Enqueue(_) => self.owed.push(action),
                Action::Note { .. } | Action::Throttled { .. } => {}
            }
        }
    }

    /// Everything that waits has a reason.
    fn is_quiet(&self, now: Timestamp) {
        for waiting in self.waiting.values() {
            let reason = self.forbids(waiting, now);
            assert!(reason.is_some(), "{waiting:?} could start and does not");
        }
    }

    fn pick<T: Copy>(from: impl ExactSizeIterator<Item = T>, index: usize) -> Option<T> {
        let count = from.len();
        (count > 0)
            .then(|| from.into_iter().nth(index % count))
            .flatten()
    }
}

/// Asked for a time that has not come.
fn kept_aside(waiting: &Waiting, now: Timestamp) -> bool {
    waiting.attempt == 0 && waiting.not_before > now
}

struct History {
    scheduler: Scheduler,
    model: Model,
    now: Timestamp,
}

impl History {
    fn tell(&mut self, input: Input) {
        let actions = self.scheduler.decide(self.now, input);
        self.model.obey(actions, self.now);
        self.model.is_quiet(self.now);
        for id in self.model.declarations.keys() {
            let why = self.scheduler.explain(*id, self.now);
            assert_eq!(why.is_none(), self.model.removed.contains(id));
            if let Some(why) = why {
                let waiting = self
                    .model
                    .waiting
                    .values()
                    .filter(|one| one.registration == *id);
                assert_eq!(why.waiting, waiting.count());
                assert_eq!(why.running.len(), self.model.running(*id));
                assert!(!why.to_string().is_empty());
            }
        }
    }

    fn accept(&mut self, registration: RegistrationId, id: ActivationId, details: Details) {
        self.accept_for(registration, id, details, self.now);
    }

    fn accept_for(
        &mut self,
        registration: RegistrationId,
        id: ActivationId,
        details: Details,
        not_before: Timestamp,
    ) {
        let waiting = Waiting {
            id,
            registration,
            accepted: self.now,
            not_before,
            attempt: 0,
            kept: false,
            details,
            foreign: false,
        };
        self.model.waiting.insert(id, waiting.clone());
        self.tell(Input::Accepted(waiting));
    }

    fn accept_all(&mut self, all: &[NewActivation]) {
        for new in all {
            self.accept(new.registration, new.id, new.details.clone());
        }
    }

    fn answer(&mut self, action: Action, good: bool) {
        match action {
            Action::Start { activation, .. } if good => {
                self.model.confirmed.insert(activation);
                self.tell(Input::Started { activation });
            }
            Action::Start { activation, .. } => {
                self.model.active.remove(&activation);
                self.tell(Input::Gone { activation });
            }
            Action::Fire(fire) => {
                self.model.firing.remove(&fire.registration);
                let (generation, due) = match good {
                    true => (fire.generation + 1, fire.next),
                    false => (
                        fire.generation,
                        Some(self.now + SignedDuration::from_secs(5)),
                    ),
                };
                let fired = Input::Fired {
                    registration: fire.registration,
                    generation,
                    due,
                };
                if good {
                    self.accept_all(&fire.activations);
                }
                self.tell(fired);
            }
            Action::Enqueue(all) => self.accept_all(&all),
            other => unreachable!("{other:?} is owed no answer"),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => {
                self.now += SignedDuration::from_secs(seconds);
                self.tell(Input::Time);
            }
            Step::ClockBack(seconds) => {
                let before = self.now;
                self.now -= SignedDuration::from_secs(seconds);
                // No wait gets longer than it was to be; a time that was asked for stays.
                for waiting in self.model.waiting.values_mut() {
                    if kept_aside(waiting, before) {
                        continue;
                    }
                    let delay = if waiting.attempt > 0 {
                        BACKOFF
                    } else {
                        SignedDuration::ZERO
                    };
                    waiting.not_before = waiting.not_before.min(self.now + delay);
                }
                self.tell(Input::Clock);
            }
            Step::Fact(internet, reading) => {
                let predicate = match internet {
                    true => Predicate::Internet,
                    false => Predicate::AcPower,
                };
                self.model.facts.insert(predicate.clone(), reading);
                let fact = Fact {
                    reading,
                    source: "test".to_owned(),
                    since: self.now,
                };
                self.tell(Input::Fact(predicate, fact));
            }
            Step::Raise => self.tell(Input::Raised {
                what: Raised::Custom("now".to_owned()),
                details: Details::default(),
            }),
            Step::Request(number) => {
                self.accept(
                    registration(number),
                    ActivationId::now(),
                    Details::default(),
                );
            }
            Step::Later(number, after) => self.accept_for(
                registration(number),
                ActivationId::now(),
                Details::default(),
                self.now + SignedDuration::from_secs(after),
            ),
            Step::Answer(index, good) => {
                if !self.model.owed.is_empty() {
                    let index = index % self.model.owed.len();
                    let action = self.model.owed.remove(index);
                    self.answer(action, good);
                }
            }
            Step::End(index, slot_free, retry) => {
                let Some(activation) = Model::pick(self.model.confirmed.iter().copied(), index)
                else {
                    return;
                };
                self.model.confirmed.remove(&activation);
                let run = self.model.active.remove(&activation).unwrap();
                let retry = retry.then(|| self.now + BACKOFF);
                if let Some(at) = retry {
                    let again = Waiting {
                        not_before: at,
                        attempt: run.attempt + 1,
                        ..run.clone()
                    };
                    self.model.waiting.insert(activation, again);
                }
                if !slot_free {
                    self.model.overrun.push(run);
                }
                self.tell(Input::Ended {
                    activation,
                    slot_free,
                    retry,
                });
            }
            Step::Vacate(index) => {
                if !self.model.overrun.is_empty() {
                    let index = index % self.model.overrun.len();
                    let activation = self.model.overrun.remove(index).id;
                    self.tell(Input::Vacated { activation });
                }
            }
            Step::Cancel(index) => {
                let waiting = self.model.waiting.keys().copied().collect::<Vec<_>>();
                let all = [waiting, self.model.active.keys().copied().collect()].concat();
                if let Some(activation) = Model::pick(all.into_iter(), index) {
                    let reason = CancelReason::Abort;
                    self.tell(Input::CancelRequested { activation, reason });
                    assert!(!self.model.waiting.contains_key(&activation));
                }
            }
            Step::Unregister(number) => {
                self.model.removed.insert(registration(number));
                self.tell(Input::Unregister(registration(number)));
            }
            Step::Drain => {
                self.model.draining = true;
                self.tell(Input::Drain);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_keeps_the_rules(declarations in declarations(), steps in steps()) {
        let mut history = History {
            scheduler: Scheduler::new(TimeZone::UTC),
            model: Model::default(),
            now: at(0),
        };
        for (number, declaration) in declarations.into_iter().enumerate() {
            let id = registration(number as u8);
            let due = Scheduler::first_due(&declaration, at(0), &TimeZone::UTC).unwrap();
            history.model.declarations.insert(id, declaration.clone());
            history.tell(Input::Register(Box::new(Registered {
                id,
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
        for step in steps {
            history.step(step);
        }
        // Let everything end: what was accepted has run or was suppressed.
        for reading in [true, false] {
            history.step(Step::Fact(reading, Reading::Known(true)));
        }
        let last = history.model.waiting.values().map(|one| one.not_before).max();
        let rest = last.map_or(0, |last| last.duration_since(history.now).as_secs());
        history.step(Step::Wait(rest.max(0)));
        for _ in 0..2000 {
            let model = &history.model;
            if !model.owed.is_empty() {
                history.step(Step::Answer(0, true));
            } else if !model.confirmed.is_empty() {
                history.step(Step::End(0, true, false));
            } else if !model.overrun.is_empty() {
                history.step(Step::Vacate(0));
            } else if !model.waiting.is_empty() && !model.draining {
                history.step(Step::Wait(BACKOFF.as_secs()));
            } else {
                break;
            }
        }
        let model = &history.model;
        prop_assert!(model.owed.is_empty() && model.active.is_empty() && model.overrun.is_empty());
        prop_assert!(model.draining || model.waiting.is_empty(), "{:?}", model.waiting);
    }
}
