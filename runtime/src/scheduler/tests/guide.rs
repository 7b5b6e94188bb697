//! The timelines of the guide, played against the scheduler.

use std::collections::BTreeMap;

use bgtask_model::{
    Backoff, Delivery,
    grammar::{FieldValue, Identity},
};

use super::*;
use crate::scheduler::Restrictions;

const PAGE: &str = include_str!("../../guide/activations.md");
/// Where a row's line begins.
const MARGIN: usize = 10;

/// A row that says what an activation does.
struct Row {
    name: String,
    line: Vec<char>,
}

/// A block of the guide.
struct Timeline {
    text: &'static str,
    tasks: Vec<Declaration>,
    /// What is so from second to second: facts, and what holds back.
    given: BTreeMap<String, Vec<char>>,
    rows: Vec<Row>,
    length: usize,
}

fn is_ruler(name: &str) -> bool {
    matches!(name, "" | "minutes")
}

/// The parts of a list, without what is inside of parentheses or quotes.
fn parts(list: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut parts) = (0, false, vec![String::new()]);
    for c in list.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn task(name: &str, arguments: &str) -> Declaration {
    let identity = Identity {
        default_name: name.to_owned(),
        function: name.to_owned(),
        description: None,
    };
    let fields = parts(arguments).into_iter().map(|part| {
        let end = part.find(['(', ' ']).unwrap_or(part.len());
        let (word, value) = part.split_at(end);
        // `retry(…)` is `retry = (…)`, and the fields of a manifest hold texts without quotes.
        let value = value.trim_start_matches(" = ").trim_matches('"');
        let number = || value.parse().map(FieldValue::Int);
        let field = match value {
            "" => FieldValue::Bool(true),
            _ => number().unwrap_or_else(|_| value.into()),
        };
        (word.to_owned(), field)
    });
    Declaration::from_fields(identity, fields)
        .unwrap_or_else(|error| panic!("{arguments}: {error:?}"))
}

impl Timeline {
    fn new(text: &'static str) -> Self {
        let (tasks, rows) = text.split_once("\n\n").expect("tasks, an empty line, rows");
        let tasks = tasks.lines().map(|line| {
            let (name, arguments) = line.split_once(": ").expect(line);
            task(name, arguments)
        });
        let mut given = BTreeMap::new();
        let mut activations = Vec::new();
        for line in rows.lines() {
            let name = line
                .chars()
                .take(MARGIN)
                .collect::<String>()
                .trim()
                .to_owned();
            let rest: String = line.chars().skip(MARGIN).collect();
            // The reason of an end follows.
            let line = rest
                .split_once(" (")
                .map_or(rest.as_str(), |(line, _)| line);
            let line: Vec<char> = line.trim_end().chars().collect();
            if is_ruler(&name) || line.iter().all(|c| matches!(c, '_' | '=' | '|' | ' ')) {
                given.insert(name, line);
            } else {
                activations.push(Row { name, line });
            }
        }
        let given_length = given.iter().filter(|(name, _)| !is_ruler(name));
        let given_length = given_length.map(|(_, line)| line.len());
        let rows_length = activations.iter().map(|row| row.line.len());
        Self {
            text,
            tasks: tasks.collect(),
            length: given_length.chain(rows_length).max().unwrap(),
            given,
            rows: activations,
        }
    }

    fn is(&self, what: &str, second: usize) -> bool {
        let line = self.given.get(what);
        line.is_some_and(|line| line.get(second) == Some(&'='))
    }

    /// What a column is, in seconds.
    fn scale(&self) -> i64 {
        if self.given.contains_key("minutes") {
            60
        } else {
            1
        }
    }

    fn all(page: &'static str) -> Vec<Self> {
        let blocks = page.split("```text\n").skip(1);
        blocks
            .map(|block| Self::new(block.split_once("\n```").unwrap().0))
            .collect()
    }
}

/// An activation, as it went.
struct Seen {
    task: u8,
    id: Option<ActivationId>,
    line: String,
    phase: Phase,
    attempt: u32,
    why: Option<Suppression>,
    not_before: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Waits,
    Runs,
    Stops,
    Suppressed,
    Over,
}

/// A scheduler, with what a store and hosts that do as the guide says would add.
struct Player<'a> {
    timeline: &'a Timeline,
    scheduler: Scheduler,
    second: usize,
    seen: Vec<Seen>,
    due: BTreeMap<RegistrationId, (Option<Timestamp>, u64)>,
    restrictions: Restrictions,
    /// The due times that fired, in seconds.
    scheduled: Vec<usize>,
    up: bool,
}

impl<'a> Player<'a> {
    fn new(timeline: &'a Timeline) -> Self {
        let mut due = BTreeMap::new();
        for (number, task) in timeline.tasks.iter().enumerate() {
            let first = Scheduler::first_due(task, at(0), &TimeZone::UTC).unwrap();
            due.insert(registration(number as u8 + 1), (first, 0));
        }
        Self {
            timeline,
            scheduler: Scheduler::new(TimeZone::UTC),
            second: 0,
            seen: Vec::new(),
            due,
            restrictions: Restrictions::default(),
            scheduled: Vec::new(),
            up: false,
        }
    }

    fn now(&self) -> Timestamp {
        at(self.second as i64 * self.timeline.scale())
    }

    fn task(&self, number: u8) -> &'a Declaration {
        &self.timeline.tasks[usize::from(number) - 1]
    }

    /// The row of an activation: tasks have letters, and each counts its own.
    fn row(&self, place: usize) -> Option<&'a Row> {
        let task = self.seen[place].task;
        let before = self.seen[..place].iter().filter(|seen| seen.task == task);
        let name = format!("{}{}", self.task(task).name, before.count() + 1);
        self.timeline.rows.iter().find(|row| row.name == name)
    }

    fn see(
        &mut self,
        registration: RegistrationId,
        id: Option<ActivationId>,
        why: Option<Suppression>,
    ) {
        let task = self
            .due
            .keys()
            .position(|other| *other == registration)
            .unwrap() as u8
            + 1;
        self.seen.push(Seen {
            task,
            id,
            line: String::new(),
            phase: if why.is_some() {
                Phase::Suppressed
            } else {
                Phase::Waits
            },
            attempt: 0,
            why,
            not_before: NewActivation::AT_ONCE,
        });
    }

    fn find(&mut self, id: ActivationId) -> &mut Seen {
        self.seen
            .iter_mut()
            .find(|seen| seen.id == Some(id))
            .unwrap()
    }

    fn tell(&mut self, input: Input) {
        for action in self.scheduler.decide(self.now(), input) {
            match action {
                Action::Fire(fire) => {
                    let (generation, due) = (fire.generation + 1, fire.next);
                    let registration = fire.registration;
                    self.due.insert(registration, (due, generation));
                    if fire.suppressed.is_some() {
                        self.see(registration, None, fire.suppressed);
                    }
                    for new in &fire.activations {
                        let scheduled = new.details.scheduled.unwrap().duration_since(at(0));
                        self.scheduled
                            .push((scheduled.as_secs() / self.timeline.scale()) as usize);
                    }
                    self.tell(Input::Fired {
                        registration,
                        generation,
                        due,
                    });
                    fire.activations
                        .into_iter()
                        .for_each(|new| self.accept(new, false));
                }
                Action::Enqueue(all) => all.into_iter().for_each(|new| self.accept(new, false)),
                Action::Start { activation, .. } => {
                    let seen = self.find(activation);
                    seen.phase = Phase::Runs;
                    seen.attempt += 1;
                    self.tell(Input::Started { activation });
                }
                Action::Cancel { activation, .. } => self.find(activation).phase = Phase::Stops,
                Action::Suppress {
                    activation, why, ..
                } => {
                    let seen = self.find(activation);
                    seen.phase = Phase::Suppressed;
                    seen.why = Some(why);
                }
                Action::Note { registration, why } => self.see(registration, None, Some(why)),
                Action::Hold { .. } | Action::Throttled { .. } => {}
            }
        }
    }

    fn accept(&mut self, new: NewActivation, kept: bool) {
        if !kept {
            self.see(new.registration, Some(new.id), None);
        }
        let seen = self.find(new.id);
        seen.not_before = new.not_before;
        let attempt = seen.attempt;
        let accepted = self.now();
        self.tell(Input::Accepted(Waiting {
            id: new.id,
            registration: new.registration,
            accepted,
            not_before: new.not_before,
            attempt,
            kept,
            details: new.details,
            foreign: false,
        }));
    }

    fn launch(&mut self) {
        self.scheduler = Scheduler::new(TimeZone::UTC);
        let before = self.seen.len();
        for (id, (due, generation)) in self.due.clone() {
            let number = id.as_bytes()[0];
            let registered = Registered {
                id,
                declaration: Arc::new(self.task(number).clone()),
                due,
                fired: None,
                generation,
                last_suppression: None,
                ended: None,
                standing: Standing::Enabled,
                replaces: None,
                refused: None,
            };
            self.tell(Input::Register(Box::new(registered)));
        }
        for place in 0..before {
            let seen = &mut self.seen[place];
            let (Some(id), Phase::Waits | Phase::Runs) = (seen.id, seen.phase) else {
                continue;
            };
            let ran = std::mem::replace(&mut seen.phase, Phase::Waits) == Phase::Runs;
            let (number, not_before) = (seen.task, seen.not_before);
            if ran && self.task(number).options.delivery == Delivery::AtMostOnce {
                let seen = &mut self.seen[place];
                (seen.phase, seen.why) = (Phase::Suppressed, Some(Suppression::AtMostOnce));
                continue;
            }
            let new = NewActivation {
                id,
                registration: registration(number),
                task: String::new(),
                details: Details::default(),
                not_before,
                journal: false,
                foreign: false,
            };
            self.accept(new, true);
        }
    }

    /// The process ends.
    fn lose(&mut self) {
        for seen in &mut self.seen {
            let task = &self.timeline.tasks[usize::from(seen.task) - 1];
            let runs_or_waits = matches!(seen.phase, Phase::Waits | Phase::Runs);
            if runs_or_waits && task.options.delivery == Delivery::Volatile {
                seen.phase = Phase::Over;
            }
        }
    }

    /// Tells what is given from this second on.
    fn surroundings(&mut self) {
        let (timeline, second) = (self.timeline, self.second);
        for name in timeline.given.keys() {
            let is = timeline.is(name, second);
            if second > 0 && timeline.is(name, second - 1) == is {
                continue;
            }
            let since = self.now();
            let standing = |standing| Input::Standing {
                registration: registration(1),
                standing: if is { standing } else { Standing::Enabled },
            };
            match name.as_str() {
                "" | "minutes" | "app" | "due" => {}
                "paused" => self.tell(standing(Standing::Paused { since })),
                "disabled" => self.tell(standing(Standing::Disabled { since })),
                "denied" => {
                    self.restrictions.denied = is.then(|| "by the user".to_owned());
                    self.tell(Input::Restrict(self.restrictions.clone()));
                }
                "saver" => {
                    self.restrictions.energy_saver = is;
                    self.tell(Input::Restrict(self.restrictions.clone()));
                }
                fact => {
                    let condition: bgtask_model::Condition = fact.parse().unwrap();
                    let predicate = condition.predicates()[0].clone();
                    let fact = Fact {
                        reading: Reading::Known(is),
                        source: "test".to_owned(),
                        since,
                    };
                    self.tell(Input::Fact(predicate.base().0, fact));
                }
            }
        }
    }

    /// Ends the runs whose line ends, or goes on with a wait: those failed.
    fn end_runs(&mut self) {
        for place in 0..self.seen.len() {
            let (phase, id) = (self.seen[place].phase, self.seen[place].id);
            let (Phase::Runs | Phase::Stops, Some(activation)) = (phase, id) else {
                continue;
            };
            let next = self
                .row(place)
                .and_then(|row| row.line.get(self.second).copied());
            if matches!(next, Some('#' | '!')) {
                continue;
            }
            let retry = self.task(self.seen[place].task).options.retry.clone();
            let retry = retry
                .filter(|_| next == Some('.'))
                .map(|retry| match retry.backoff {
                    Backoff::Fixed(wait) => self.now() + SignedDuration::try_from(wait).unwrap(),
                    other => unreachable!("{other:?}"),
                });
            self.seen[place].phase = if retry.is_some() {
                Phase::Waits
            } else {
                Phase::Over
            };
            self.tell(Input::Ended {
                activation,
                slot_free: true,
                retry,
            });
        }
    }

    /// Requests, and raises events, where rows begin.
    fn ask(&mut self) {
        let timeline = self.timeline;
        for row in &timeline.rows {
            let begins = row.line.iter().position(|c| *c != ' ') == Some(self.second);
            let number = timeline
                .tasks
                .iter()
                .position(|task| row.name.starts_with(&task.name));
            let number = number.unwrap() as u8 + 1;
            // For later: where the marks of that end.
            let (scale, marks) = (timeline.scale(), row.line.iter().skip(self.second));
            let later = marks.take_while(|c| **c == ',').count();
            let not_before = match later {
                0 => NewActivation::AT_ONCE,
                later => at((self.second + later) as i64 * scale),
            };
            match &timeline.tasks[usize::from(number) - 1].trigger {
                bgtask_model::Trigger::Application if begins => self.accept(
                    NewActivation {
                        id: ActivationId::now(),
                        registration: registration(number),
                        task: String::new(),
                        details: Details::default(),
                        not_before,
                        journal: false,
                        foreign: false,
                    },
                    false,
                ),
                bgtask_model::Trigger::Custom { name } if begins => self.tell(Input::Raised {
                    what: Raised::Custom(name.clone()),
                    details: Details::default(),
                }),
                _ => {}
            }
        }
    }

    fn play(mut self) -> String {
        let timeline = self.timeline;
        for second in 0..timeline.length {
            self.second = second;
            let up = !timeline.given.contains_key("app") || timeline.is("app", second);
            if up && !self.up {
                self.launch();
            } else if !up && self.up {
                self.lose();
            }
            self.up = up;
            if up {
                self.end_runs();
                self.surroundings();
                self.tell(Input::Time);
                self.ask();
            }
            let now = self.now();
            for seen in &mut self.seen {
                let length = seen.line.chars().count();
                seen.line.extend(std::iter::repeat_n(' ', second - length));
                let mark = match seen.phase {
                    Phase::Runs if !up => '.',
                    Phase::Waits if seen.not_before > now => ',',
                    Phase::Waits => '.',
                    Phase::Runs => '#',
                    Phase::Stops => '!',
                    Phase::Suppressed => 'x',
                    Phase::Over => ' ',
                };
                seen.line.push(mark);
                if seen.phase == Phase::Suppressed {
                    seen.phase = Phase::Over;
                }
            }
        }
        if let Some(due) = timeline.given.get("due") {
            for scheduled in &self.scheduled {
                assert_eq!(due.get(*scheduled), Some(&'|'), "{}", timeline.text);
            }
        }
        self.shown()
    }

    /// The block, as it went.
    fn shown(&self) -> String {
        let timeline = self.timeline;
        let mut lines: Vec<String> = Vec::new();
        let rows = timeline.text.split_once("\n\n").unwrap().1;
        for line in rows.lines() {
            let name = line
                .chars()
                .take(MARGIN)
                .collect::<String>()
                .trim()
                .to_owned();
            if timeline.given.contains_key(&name) {
                lines.push(line.to_owned());
            }
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for seen in &self.seen {
            let task = self.task(seen.task).name.clone();
            let count = names.entry(task.clone()).or_default();
            *count += 1;
            let why = seen
                .why
                .as_ref()
                .map_or(String::new(), |why| format!(" ({why})"));
            let name = format!("{task}{count}");
            lines.push(format!("{name:MARGIN$}{}{why}", seen.line.trim_end()));
        }
        lines.join("\n")
    }
}

#[test]
fn the_timelines_of_the_guide_are_what_happens() {
    let timelines = Timeline::all(PAGE);
    let mut wrong = String::new();
    for timeline in &timelines {
        let (tasks, rows) = timeline.text.split_once("\n\n").unwrap();
        let shown = Player::new(timeline).play();
        if shown != rows {
            wrong += &format!("\n{tasks}\n\n{rows}\n\nin truth:\n{shown}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(
        timelines
            .iter()
            .any(|timeline| timeline.given.contains_key("due"))
    );
    let later = |timeline: &Timeline| timeline.rows.iter().any(|row| row.line.contains(&','));
    assert!(timelines.iter().any(later));
}

#[test]
fn the_guide_has_a_timeline_for_each_of_its_words() {
    let timelines = Timeline::all(PAGE);
    let words = [
        "pending = latest",
        "pending = first",
        "pending = queue(2)",
        "overlap = skip",
        "overlap = queue(2)",
        "overlap = replace",
        "overlap = allow(2)",
        "exclusive",
        "missed = once",
        "missed = skip",
        "missed = all(2)",
        "retry",
        "unique",
        "priority",
        "jitter",
        "delivery = at_least_once",
        "delivery = at_most_once",
        "delivery = volatile",
        "cancel_on_condition_loss",
    ];
    for word in words {
        let shown = timelines
            .iter()
            .any(|timeline| timeline.text.contains(word));
        assert!(shown, "{word}");
    }
    for given in ["paused", "disabled", "denied", "saver"] {
        let shown = timelines
            .iter()
            .any(|timeline| timeline.given.contains_key(given));
        assert!(shown, "{given}");
    }
}

#[test]
fn a_timeline_that_is_not_so_is_seen() {
    let rows = |overlap: &str| {
        format!(
            "a: trigger = every(\"4s\"), overlap = {overlap}\n\na1            ######\na2                ..#"
        )
    };
    for (overlap, holds) in [("queue(1)", true), ("skip", false), ("allow(2)", false)] {
        let text = rows(overlap).leak();
        let timeline = Timeline::new(text);
        let shown = Player::new(&timeline).play();
        assert_eq!(
            text.ends_with(&format!("\n\n{shown}")),
            holds,
            "{overlap}: {shown}"
        );
    }
}
