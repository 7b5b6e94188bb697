//! The scheduler beside its rules written once more, [`spec`], over random histories of a whole
//! app: its store, its hosts, its clock, its ends and its starts.

mod draw;
mod spec;
mod times;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
};

use bgtask_model::Delivery;
use proptest::prelude::*;

use self::{
    draw::{REGISTRATIONS, STARTS, Step, ZONES},
    spec::{Said, Spec, ZONE_CHANGED},
};
use super::*;
use crate::scheduler::Restrictions;

/// A registration as a store keeps it.
struct Kept {
    declaration: Arc<Declaration>,
    due: Option<Timestamp>,
    fired: Option<Timestamp>,
    generation: u64,
    last_suppression: Option<(Timestamp, Suppression)>,
    ended: Option<Timestamp>,
    standing: Standing,
}

/// An activation as a store keeps it.
struct Open {
    waiting: Waiting,
    claimed: bool,
}

struct Trial {
    scheduler: Scheduler,
    spec: Spec,
    now: Timestamp,
    zone: TimeZone,
    facts: BTreeMap<Predicate, Reading>,
    restrictions: Restrictions,
    draining: bool,
    /// What tasks may be declared as.
    declarations: Vec<Arc<Declaration>>,
    /// The registrations that were made of each task; the last one counts.
    made: Vec<Vec<RegistrationId>>,
    /// What survives.
    registrations: BTreeMap<RegistrationId, Kept>,
    /// In the order of acceptance.
    open: Vec<Open>,
    /// What is to be written or done, and was not yet.
    owed: Vec<Action>,
    /// Runs that were told to have started.
    confirmed: BTreeSet<ActivationId>,
    overrun: Vec<ActivationId>,
    count: u64,
    /// The history so far, for people.
    story: String,
    /// Where scheduler and rules differ.
    wrong: Option<String>,
}

impl Trial {
    fn new(start: usize, zone: usize, declarations: Vec<Declaration>) -> Self {
        let now: Timestamp = STARTS[start].parse().unwrap();
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let mut story = String::new();
        let mut registrations = BTreeMap::new();
        let declarations: Vec<_> = declarations.into_iter().map(Arc::new).collect();
        for (number, declaration) in declarations.iter().enumerate() {
            let id = registration(number as u8);
            let condition = declaration.condition.as_ref().map(ToString::to_string);
            let condition = condition.unwrap_or_default();
            let (trigger, options) = (&declaration.trigger, stated(&declaration.options));
            writeln!(story, "r{number}: {trigger} {condition} {options}").unwrap();
            let kept = Kept {
                due: Scheduler::first_due(declaration, now, &zone).unwrap(),
                declaration: Arc::clone(declaration),
                fired: None,
                generation: 0,
                last_suppression: None,
                ended: None,
                standing: Standing::Enabled,
            };
            registrations.insert(id, kept);
        }
        let mut trial = Self {
            scheduler: Scheduler::new(zone.clone()),
            spec: Spec::new(zone.clone()),
            now,
            zone,
            facts: BTreeMap::new(),
            restrictions: Restrictions::default(),
            draining: false,
            declarations,
            made: (0..REGISTRATIONS)
                .map(|number| vec![registration(number)])
                .collect(),
            registrations,
            open: Vec::new(),
            owed: Vec::new(),
            confirmed: BTreeSet::new(),
            overrun: Vec::new(),
            count: 0,
            story,
            wrong: None,
        };
        trial.launch();
        trial
    }

    /// The history with names that people can follow.
    fn plain(&self) -> String {
        let mut text = format!(
            "\n{}{}",
            self.story,
            self.wrong.as_deref().unwrap_or_default()
        );
        for number in 0..=u8::MAX {
            let long = format!("{:?}", registration(number));
            text = text.replace(&long, &format!("r{number}"));
        }
        let mut names = BTreeMap::new();
        let mut parts = text.split("ActivationId(");
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (id, rest) = part.split_once(')').unwrap_or_default();
            let count = names.len();
            let name = names.entry(id).or_insert(count);
            write!(plain, "a{name}{rest}").unwrap();
        }
        plain
    }

    fn tell(&mut self, input: Input) {
        if self.wrong.is_some() {
            return;
        }
        let mut line = format!("{} {input:?}", self.now);
        if let Input::Accepted(waiting) = &input {
            let Waiting {
                id,
                registration,
                not_before,
                attempt,
                kept,
                ..
            } = waiting;
            line = format!(
                "{} Accepted {id:?} of {registration:?}, not before {not_before}, attempt {attempt}, kept {kept}",
                self.now
            );
        } else if let Input::Register(new) = &input {
            line = format!("{} Register {:?}, due {:?}", self.now, new.id, new.due);
        }
        writeln!(self.story, "{line}").unwrap();
        let expected = self.spec.decide(self.now, &input);
        let actions = self.scheduler.decide(self.now, input);
        let said: Vec<Said> = actions.iter().filter_map(Said::of).collect();
        let starts = |all: &[Said]| {
            let starts = all.iter().filter(|one| matches!(one, Said::Start(_)));
            starts.cloned().collect::<Vec<_>>()
        };
        let sorted = |all: &[Said]| {
            let mut all: Vec<String> = all.iter().map(|one| format!("{one:?}")).collect();
            all.sort_unstable();
            all
        };
        for one in &said {
            writeln!(self.story, "    → {one:?}").unwrap();
        }
        if starts(&expected) != starts(&said) || sorted(&expected) != sorted(&said) {
            self.wrong(format!("the rules say {expected:#?}"));
        }
        let (wake, next) = (self.scheduler.next_wake(), self.spec.next_wake(self.now));
        self.same("the next wake", wake, next);
        self.compare_states();
        self.obey(actions);
    }

    /// Ends the history.
    fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, said: T, expected: T) {
        if said != expected {
            self.wrong(format!(
                "{what}: {said:?} is said, {expected:?} by the rules"
            ));
        }
    }

    fn compare_states(&mut self) {
        let open: Vec<_> = self.open.iter().map(|open| open.waiting.id).collect();
        for id in open {
            let ends = self.scheduler.ends_registration(id);
            self.same("whether it ends its own", ends, self.spec.ends(id));
        }
        let ids: Vec<_> = self.registrations.keys().copied().collect();
        for id in ids {
            let why = self.scheduler.explain(id, self.now);
            let ended = why.as_ref().and_then(|why| why.ended);
            self.same("its end", ended, self.spec.ended(id));
            let holds = self.spec.holds(id, self.now);
            let waiting = why.as_ref().map_or(0, |why| why.waiting);
            self.same("how many wait", waiting, holds.len());
            let held = why.iter().flat_map(|why| &why.held);
            for (held, (activation, reason)) in held.zip(holds) {
                self.same("the order", held.activation, activation);
                if !held.reason.starts_with(reason) {
                    self.same("the hold", held.reason.as_str(), reason);
                }
            }
        }
    }

    fn obey(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Fire(_)
                | Action::Enqueue(_)
                | Action::Start { .. }
                | Action::Suppress { .. } => self.owed.push(action),
                Action::Note { registration, why } => {
                    if let Some(kept) = self.registrations.get_mut(&registration) {
                        kept.last_suppression = Some((self.now, why));
                    }
                }
                Action::Cancel { activation, .. } => {
                    let runs = self.confirmed.contains(&activation);
                    self.same("that a cancelled one runs", runs, true);
                }
                Action::Hold { .. } | Action::Throttled { .. } => {}
            }
        }
    }

    // The store.

    fn keep(&mut self, new: &NewActivation) -> Option<Waiting> {
        if !self.registrations.contains_key(&new.registration) {
            return None;
        }
        let waiting = Waiting {
            id: new.id,
            registration: new.registration,
            accepted: self.now,
            not_before: new.not_before,
            attempt: 0,
            kept: false,
            details: new.details.clone(),
            foreign: new.foreign,
        };
        self.open.push(Open {
            waiting: waiting.clone(),
            claimed: false,
        });
        Some(waiting)
    }

    fn id(&self, number: u8) -> RegistrationId {
        self.made[usize::from(number)][self.made[usize::from(number)].len() - 1]
    }

    fn new_activation(&mut self, number: u8, not_before: Timestamp) -> NewActivation {
        self.count += 1;
        NewActivation {
            id: ActivationId::from_bytes(u128::from(self.count).to_be_bytes()),
            registration: self.id(number),
            task: "task".to_owned(),
            details: Details::default(),
            not_before,
            journal: false,
            foreign: false,
        }
    }

    fn place(&self, activation: ActivationId) -> Option<usize> {
        self.open
            .iter()
            .position(|open| open.waiting.id == activation)
    }

    /// Writes what was decided; what is to be told then.
    fn write(&mut self, action: Action) -> Vec<Input> {
        match action {
            Action::Fire(fire) => self.write_fire(&fire),
            Action::Enqueue(all) => {
                let kept = all.iter().filter_map(|new| self.keep(new));
                kept.map(Input::Accepted).collect()
            }
            Action::Start { activation, .. } => match self.place(activation) {
                Some(_) if self.is_held_back(activation) => vec![Input::Unclaimed { activation }],
                Some(place) => {
                    self.open[place].claimed = true;
                    self.open[place].waiting.attempt += 1;
                    vec![Input::Started { activation }]
                }
                None => vec![Input::Gone { activation }],
            },
            Action::Suppress {
                activation,
                ends_registration,
                why,
            } => {
                if let Some(place) = self.place(activation) {
                    let open = self.open.remove(place);
                    if let Some(kept) = self.registrations.get_mut(&open.waiting.registration) {
                        kept.last_suppression = Some((self.now, why));
                        let ends = ends_registration && !open.waiting.foreign;
                        kept.ended = kept.ended.or(ends.then_some(self.now));
                    }
                }
                vec![Input::Gone { activation }]
            }
            other => unreachable!("{other:?} is owed no answer"),
        }
    }

    /// Whether what was told to start is not started any more.
    fn is_held_back(&mut self, activation: ActivationId) -> bool {
        let is = self.scheduler.is_held_back(activation);
        let rule = self.spec.is_held_back(activation);
        self.same("whether it is held back", is, rule);
        is
    }

    fn write_fire(&mut self, fire: &Fire) -> Vec<Input> {
        let Some(kept) = self.registrations.get_mut(&fire.registration) else {
            return Vec::new();
        };
        let won = kept.generation == fire.generation && kept.ended.is_none();
        if won {
            kept.generation += 1;
            kept.due = fire.next;
            if !fire.activations.is_empty() || fire.suppressed.is_some() {
                kept.fired = Some(fire.at);
            }
            if let Some(why) = &fire.suppressed {
                kept.last_suppression = Some((fire.at, why.clone()));
            }
        }
        let (generation, due) = (kept.generation, kept.due);
        let mut told = vec![Input::Fired {
            registration: fire.registration,
            generation,
            due,
        }];
        if won {
            let kept = fire.activations.iter().filter_map(|new| self.keep(new));
            told.extend(kept.map(Input::Accepted));
        }
        told
    }

    /// Something else came first: another process fired, or took what was to start.
    fn lose(&mut self, action: Action) -> Vec<Input> {
        match action {
            Action::Fire(fire) => {
                let other = self.new_activation(0, NewActivation::AT_ONCE);
                let other = NewActivation {
                    registration: fire.registration,
                    ..other
                };
                let moved = fire.activations.is_empty() && fire.suppressed.is_none();
                let mut told = self.write_fire(&Fire {
                    activations: if moved { Vec::new() } else { vec![other] },
                    suppressed: None,
                    ..fire.clone()
                });
                told.reverse();
                told
            }
            Action::Start { activation, .. } => {
                self.place(activation).map(|place| self.open.remove(place));
                vec![Input::Gone { activation }]
            }
            other => self.write(other),
        }
    }

    fn answer(&mut self, action: Action, good: bool) {
        let inputs = match good {
            true => self.write(action),
            false => self.lose(action),
        };
        for input in inputs {
            if let Input::Started { activation } = input {
                self.confirmed.insert(activation);
            }
            self.tell(input);
        }
    }

    // The process.

    /// A start: what is known comes first, then what was kept.
    fn launch(&mut self) {
        self.scheduler = Scheduler::new(self.zone.clone());
        self.spec = Spec::new(self.zone.clone());
        self.owed.clear();
        self.confirmed.clear();
        self.overrun.clear();
        self.draining = false;
        let registrations = &self.registrations;
        self.open.retain_mut(|open| {
            let of = registrations.get(&open.waiting.registration);
            let at_most_once =
                of.is_none_or(|kept| kept.declaration.options.delivery == Delivery::AtMostOnce);
            open.waiting.kept = true;
            !(std::mem::take(&mut open.claimed) && at_most_once)
        });
        for (base, reading) in self.facts.clone() {
            self.tell_fact(base, reading);
        }
        self.tell(Input::Restrict(self.restrictions.clone()));
        let all: Vec<_> = self.registrations.keys().copied().collect();
        for id in all {
            self.tell_registration(id, None);
        }
        self.open.sort_by_key(|open| open.waiting.accepted);
        let waiting: Vec<_> = self.open.iter().map(|open| open.waiting.clone()).collect();
        for waiting in waiting {
            self.tell(Input::Accepted(waiting));
        }
    }

    fn tell_registration(&mut self, id: RegistrationId, replaces: Option<RegistrationId>) {
        let kept = &self.registrations[&id];
        self.tell(Input::Register(Box::new(Registered {
            id,
            declaration: Arc::clone(&kept.declaration),
            due: kept.due,
            fired: kept.fired,
            generation: kept.generation,
            last_suppression: kept.last_suppression.clone(),
            ended: kept.ended,
            standing: kept.standing.clone(),
            replaces,
            refused: None,
        })));
    }

    /// Registers a task anew, as another one was declared: in the place of what there is of it.
    fn replace(&mut self, number: u8, with: u8) {
        let old = self.id(number);
        let made = self.made.iter().map(Vec::len).sum::<usize>();
        let Ok(new) = u8::try_from(made).map(registration) else {
            return;
        };
        let declaration = Arc::clone(&self.declarations[usize::from(with)]);
        let before = self.registrations.remove(&old);
        let replaces = before.is_some().then_some(old);
        let kept = Kept {
            due: Scheduler::first_due(&declaration, self.now, &self.zone).unwrap(),
            declaration,
            fired: None,
            generation: 0,
            last_suppression: None,
            ended: None,
            standing: before.map_or(Standing::Enabled, |before| before.standing),
        };
        self.registrations.insert(new, kept);
        self.made[usize::from(number)].push(new);
        if replaces.is_some() {
            let of_old = self.open.iter_mut();
            for open in of_old.filter(|open| open.waiting.registration == old) {
                open.waiting.registration = new;
                open.waiting.foreign = true;
            }
        }
        self.tell_registration(new, replaces);
    }

    fn tell_fact(&mut self, base: Predicate, reading: Reading) {
        let fact = Fact {
            reading,
            source: "test".to_owned(),
            since: self.now,
        };
        self.tell(Input::Fact(base, fact));
    }

    fn accept(&mut self, new: &NewActivation) {
        let live = self.registrations.get(&new.registration);
        if live.is_some_and(|kept| kept.ended.is_none())
            && let Some(waiting) = self.keep(new)
        {
            self.tell(Input::Accepted(waiting));
        }
    }

    fn end(&mut self, which: usize, slot_free: bool, retry: Option<i64>) {
        let running: Vec<_> = self.confirmed.iter().copied().collect();
        let Some(activation) = pick(&running, which) else {
            return;
        };
        let retry = retry.map(|wait| self.now + SignedDuration::from_secs(wait));
        if let Some(place) = self.place(activation) {
            let open = &mut self.open[place];
            let id = open.waiting.registration;
            if let Some(at) = retry {
                open.waiting.not_before = at;
                open.claimed = false;
            } else {
                self.open.remove(place);
                if self.scheduler.ends_registration(activation)
                    && let Some(kept) = self.registrations.get_mut(&id)
                {
                    kept.ended = Some(self.now);
                }
            }
        }
        self.confirmed.remove(&activation);
        if !slot_free {
            self.overrun.push(activation);
        }
        self.tell(Input::Ended {
            activation,
            slot_free,
            retry,
        });
    }

    fn step(&mut self, step: Step) {
        if self.wrong.is_some() {
            return;
        }
        writeln!(self.story, "{} # {step:?}", self.now).unwrap();
        match step {
            Step::Wait(seconds) => {
                self.now += SignedDuration::from_secs(seconds);
                self.tell(Input::Time);
            }
            Step::Clock(seconds) => {
                self.now += SignedDuration::from_secs(seconds);
                self.tell(Input::Clock);
            }
            Step::Zone(zone) => {
                self.zone = TimeZone::get(ZONES[zone]).unwrap();
                self.tell(Input::Zone(self.zone.clone()));
                let details = Details::default();
                let what = ZONE_CHANGED;
                self.tell(Input::Raised { what, details });
            }
            Step::Fact(which, reading) => {
                let base = [Predicate::Internet, Predicate::AcPower][which % 2].clone();
                self.facts.insert(base.clone(), reading);
                self.tell_fact(base, reading);
            }
            Step::Raise(custom) => {
                let what = match custom {
                    true => Raised::Custom("now".to_owned()),
                    false => ZONE_CHANGED,
                };
                let details = Details::default();
                self.tell(Input::Raised { what, details });
            }
            Step::Request(number) => {
                let new = self.new_activation(number, NewActivation::AT_ONCE);
                self.accept(&by_hand(new));
            }
            Step::RequestLater(number, later) => {
                let at = self.now + SignedDuration::from_secs(later);
                let new = self.new_activation(number, at);
                self.accept(&by_hand(new));
            }
            Step::Again(which) => {
                let waiting = self.open.iter().filter(|open| !open.claimed);
                let waiting: Vec<_> = waiting.map(|open| &open.waiting).collect();
                if let Some(again) = pick(&waiting, which).cloned() {
                    self.tell(Input::Accepted(again));
                }
            }
            Step::Answer(which, good) => {
                if !self.owed.is_empty() {
                    let action = self.owed.remove(which % self.owed.len());
                    self.answer(action, good);
                }
            }
            Step::AnswerAll => {
                while !self.owed.is_empty() {
                    let action = self.owed.remove(0);
                    self.answer(action, true);
                }
            }
            Step::End {
                which,
                slot_free,
                retry,
            } => self.end(which, slot_free, retry),
            Step::Vacate(which) => {
                if let Some(activation) = pick(&self.overrun, which) {
                    self.overrun.retain(|other| *other != activation);
                    self.tell(Input::Vacated { activation });
                }
            }
            Step::Cancel(which) => {
                let all: Vec<_> = self.open.iter().map(|open| open.waiting.id).collect();
                if let Some(activation) = pick(&all, which) {
                    let reason = CancelReason::Abort;
                    self.tell(Input::CancelRequested { activation, reason });
                }
            }
            Step::Stand(number, how) => {
                let since = self.now;
                let standing = match how {
                    0 => Standing::Paused { since },
                    1 => Standing::Disabled { since },
                    2 => Standing::Quarantined {
                        since,
                        reason: "gone".to_owned(),
                    },
                    _ => Standing::Enabled,
                };
                let registration = self.id(number);
                if let Some(kept) = self.registrations.get_mut(&registration) {
                    kept.standing = standing.clone();
                    self.tell(Input::Standing {
                        registration,
                        standing,
                    });
                }
            }
            Step::Restrict(restrictions) => {
                self.restrictions = restrictions.clone();
                self.tell(Input::Restrict(restrictions));
            }
            Step::Unregister(number) => {
                let id = self.id(number);
                if self.registrations.remove(&id).is_some() {
                    self.open
                        .retain(|open| open.waiting.registration != id || open.claimed);
                    self.tell(Input::Unregister(id));
                }
            }
            Step::Replace(number, with) => self.replace(number, with),
            Step::Restart(down, written) => {
                for action in std::mem::take(&mut self.owed) {
                    if written {
                        self.write(action);
                    }
                }
                self.now += SignedDuration::from_secs(down);
                self.launch();
            }
            Step::Drain => {
                self.draining = true;
                self.tell(Input::Drain);
            }
        }
    }

    /// Lets everything end; what was accepted has run or was suppressed then.
    fn conclude(&mut self) {
        if self.draining {
            self.step(Step::Restart(1, true));
        }
        self.step(Step::Restrict(Restrictions::default()));
        for number in 0..REGISTRATIONS {
            self.step(Step::Stand(number, 4));
        }
        for which in 0..2 {
            self.step(Step::Fact(which, Reading::Known(which == 0)));
        }
        // What was asked for a later time has come due.
        let last = self.open.iter().map(|open| open.waiting.not_before).max();
        let rest = last.map_or(0, |last| last.duration_since(self.now).as_secs() + 1);
        self.step(Step::Wait(rest.max(0)));
        let mut power = true;
        // What is declared may go on for ever: it is left alone.
        self.step(Step::AnswerAll);
        let accepted: BTreeSet<_> = self.open.iter().map(|open| open.waiting.id).collect();
        for _ in 0..500 {
            self.step(Step::AnswerAll);
            self.step(Step::End {
                which: 0,
                slot_free: true,
                retry: None,
            });
            self.step(Step::Vacate(0));
            if !self
                .open
                .iter()
                .any(|open| accepted.contains(&open.waiting.id))
            {
                return;
            }
            power = !power;
            self.step(Step::Fact(1, Reading::Known(power)));
            if self.confirmed.is_empty() && self.owed.is_empty() && self.overrun.is_empty() {
                self.step(Step::Wait(60));
            }
        }
        self.wrong("some of it never ends".to_owned());
    }
}

/// What options say that the default does not.
fn stated(options: &Options) -> String {
    let (all, default) = (
        format!("{options:#?}"),
        format!("{:#?}", Options::default()),
    );
    let new = all.lines().filter(|line| !default.contains(line));
    new.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Requests are of triggers that never end; what else comes like one is fired by hand.
fn by_hand(new: NewActivation) -> NewActivation {
    NewActivation {
        foreign: true,
        ..new
    }
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    from.get(which % from.len().max(1)).copied()
}

/// `BGTASK_MODEL_CASES` for more.
fn cases() -> u32 {
    let stated = env::var("BGTASK_MODEL_CASES").ok();
    stated.map_or(64, |cases| cases.parse().expect("a number of cases"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_goes_as_the_rules_say(
        start in 0..STARTS.len(),
        zone in 0..ZONES.len(),
        declarations in draw::declarations(),
        steps in draw::steps(),
    ) {
        let mut trial = Trial::new(start, zone, declarations);
        for step in steps {
            trial.step(step);
        }
        trial.conclude();
        prop_assert!(trial.wrong.is_none(), "{}", trial.plain());
    }
}
