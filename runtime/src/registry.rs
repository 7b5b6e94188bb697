//! The tasks linked into this program, by name.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bgtask_model::{
    Condition, Declaration, FieldValue, Predicate, grammar::is_of_process, nearest,
};

use crate::{
    Code, Error, Result, TaskType,
    body::{Linked, LinkedCondition},
    extract::Requirements,
    manifest::Entry,
    state::StateMap,
};

/// At most so many names are offered instead of an unknown one.
const LISTED: usize = 10;

/// A task of this program.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) declaration: Arc<Declaration>,
    /// The manifest entry: what the bytes in the executable say.
    pub(crate) entry: Entry,
    pub(crate) linked: &'static Linked,
    pub(crate) requirements: Arc<Requirements>,
}

impl Task {
    /// Whether it asks for the network to be kept up.
    pub(crate) fn keeps_network(&self) -> bool {
        self.declaration.options.network_requested
    }
}

/// The tasks and conditions linked into this program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    tasks: BTreeMap<String, Task>,
    conditions: BTreeMap<&'static str, &'static LinkedCondition>,
}

/// The tasks linked into this program, by the names in their entries. The app has read and checked
/// all of each entry; its hosts are the same program.
pub(crate) fn linked_by_name() -> HashMap<String, &'static Linked> {
    inventory::iter::<Linked>()
        .filter_map(|linked| Some((Entry::name_in(linked.entry)?, linked)))
        .collect()
}

impl Registry {
    /// Reads what the linker kept.
    pub(crate) fn linked() -> Result<Self> {
        Self::of(
            inventory::iter::<Linked>().collect(),
            inventory::iter::<LinkedCondition>().collect(),
        )
    }

    pub(crate) fn of(
        linked: Vec<&'static Linked>,
        conditions: Vec<&'static LinkedCondition>,
    ) -> Result<Self> {
        let mut registry = Self {
            tasks: BTreeMap::new(),
            conditions: conditions
                .iter()
                .map(|found| (found.name, *found))
                .collect(),
        };
        for linked in linked {
            registry.add(linked)?;
        }
        Ok(registry)
    }

    fn add(&mut self, linked: &'static Linked) -> Result<()> {
        let entry = Entry::from_frame(linked.entry)?;
        let name = entry.name().to_owned();
        refuse_hidden_result(&name, (linked.output)())?;
        if let Some(first) = self.tasks.get(&name) {
            return Err(Error::new(
                Code::DuplicateName,
                format!(
                    "two tasks have this name: `{}` and `{}`",
                    first.declaration.function, entry.declaration.function
                ),
            )
            .task(name)
            .remedy("give one of them another `name = \"…\"`"));
        }
        let task = Task {
            declaration: Arc::new(entry.declaration.clone()),
            entry,
            linked,
            requirements: Arc::new(linked.requirements()),
        };
        self.tasks.insert(name, task);
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Task> {
        self.tasks.get(name)
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tasks.keys().map(String::as_str)
    }

    /// Declares a task otherwise from now on.
    pub(crate) fn redeclare(&mut self, name: &str, declaration: Declaration) {
        if let Some(task) = self.tasks.get_mut(name) {
            task.entry.declaration = declaration.clone();
            task.declaration = Arc::new(declaration);
        }
    }

    /// The task of that name, or an error that offers the names there are.
    pub(crate) fn find(&self, name: &str) -> Result<&Task> {
        self.get(name).ok_or_else(|| {
            Error::new(
                Code::UnknownTask,
                "no task of that name is linked into this program",
            )
            .task(name)
            .remedy(self.offer(name, []))
        })
    }

    /// What to write instead of a name that there is not; `built` are the names of registrations
    /// beside those of tasks.
    pub(crate) fn offer<'a>(
        &'a self,
        name: &str,
        built: impl IntoIterator<Item = &'a str>,
    ) -> String {
        let mut names: BTreeSet<&str> = self.names().collect();
        names.extend(built);
        if names.is_empty() {
            return "the program has no tasks; a dependency's tasks are linked only when the program mentions it: `use the_crate as _;`".to_owned();
        }
        match meant(name, &names) {
            Some(meant) => format!("did you mean `{meant}`? {}", listed(&names)),
            None => listed(&names),
        }
    }

    /// The conditions that tasks of this program ask for.
    pub(crate) fn conditions_in_use(&self) -> Result<Vec<&'static LinkedCondition>> {
        let mut used = BTreeMap::new();
        for task in self.tasks.values() {
            let missing = self.missing_conditions(&task.declaration);
            if !missing.is_empty() {
                return Err(Error::all(missing));
            }
            let found = self.conditions_of(&task.declaration);
            used.extend(found.map(|found| (found.name, found)));
        }
        Ok(used.into_values().collect())
    }

    /// The program's own conditions that a declaration asks for.
    pub(crate) fn conditions_of<'a>(
        &'a self,
        declaration: &'a Declaration,
    ) -> impl Iterator<Item = &'static LinkedCondition> + 'a {
        own_conditions(declaration).filter_map(|path| self.conditions.get(path).copied())
    }

    /// Those that it asks for and that are not linked.
    pub(crate) fn missing_conditions(&self, declaration: &Declaration) -> Vec<Error> {
        own_conditions(declaration)
            .filter(|path| !self.conditions.contains_key(path))
            .map(|path| {
                Error::new(
                    Code::InvalidDeclaration,
                    format!("the condition `{path}` is not linked into this program"),
                )
                .task(&declaration.name)
                .remedy("annotate the function with `#[background_condition]`")
            })
            .collect()
    }

    /// What belongs to a process must be the same for all tasks of a resource group.
    pub(crate) fn check_groups(&self) -> Result<()> {
        check_groups(self.tasks.values().map(|task| &*task.declaration))
    }

    /// Every `State<T>` that a task takes must have been set.
    pub(crate) fn check_state(&self, state: &StateMap) -> Result<()> {
        for task in self.tasks.values() {
            for (id, type_name) in &task.requirements.states {
                if !state.contains(*id) {
                    return Err(Error::new(
                        Code::MissingState,
                        format!("it takes `State<{type_name}>`, and `setup` set no such value"),
                    )
                    .task(&task.declaration.name)
                    .remedy("in the function named by `#[bgtask::main(setup = …)]` return `app.state(value)`"));
                }
            }
        }
        Ok(())
    }
}

impl Task {
    /// This task declared otherwise: its body under another trigger, condition or options. What is
    /// stated of the process, and does not belong to it, is not looked at: that is this task's.
    ///
    /// # Errors
    ///
    /// All mistakes of what is stated, and the parameter that the trigger does not give.
    pub(crate) fn declared_as(
        &self,
        name: &str,
        stated: impl IntoIterator<Item = (String, FieldValue)>,
    ) -> Result<Declaration, Vec<Error>> {
        let own = self.declaration.fields().into_iter();
        let own = own.map(|(word, value)| (word.to_owned(), value));
        let of_process = own.filter(|(word, _)| is_of_process(word));
        let stated = stated.into_iter().filter(|(word, _)| !is_of_process(word));
        let named = ("name".to_owned(), FieldValue::from(name));
        let fields = std::iter::once(named).chain(stated).chain(of_process);
        let declaration = Declaration::from_fields(self.declaration.identity(), fields).map_err(
            |mistakes| -> Vec<Error> {
                mistakes
                    .iter()
                    .map(|one| Error::mistake(name, one))
                    .collect()
            },
        )?;
        match self.requirements.not_given_by(&declaration.trigger) {
            None => Ok(declaration),
            Some(parameter) => Err(vec![
                Error::new(
                    Code::InvalidDeclaration,
                    format!(
                        "the trigger `{}` gives no `{parameter}`, which `{}` takes",
                        declaration.trigger, declaration.function
                    ),
                )
                .task(name)
                .remedy("use a trigger of the kind that the function was written for"),
            ]),
        }
    }

    /// Refuses the type of another function than the task's, as far as that can be told: of one that
    /// takes arguments, or if the type's does. Arguments of any type are checked when they are there.
    pub(crate) fn check_type<F: TaskType>(&self) -> Result<()> {
        let (given, name) = (TypeId::of::<F::Args>(), std::any::type_name::<F>());
        let taken = self.requirements.arguments.as_ref();
        let rule = match taken.map(|taken| taken.function) {
            _ if given == TypeId::of::<serde_json::Value>() => return Ok(()),
            Some((function, _)) if function == TypeId::of::<F>() => return Ok(()),
            None if given == TypeId::of::<()>() => return Ok(()),
            Some((_, function)) => format!("its function is `{function}`, and not `{name}`"),
            None => format!(
                "it takes no arguments, and `{name}` takes `{}`",
                std::any::type_name::<F::Args>()
            ),
        };
        Err(Error::new(Code::BadArguments, rule)
            .task(&self.declaration.name)
            .remedy("name the function with the attribute that has this name"))
    }

    /// Refuses arguments that the task could not take.
    pub(crate) fn check_arguments(&self, arguments: Option<&serde_json::Value>) -> Result<()> {
        let name = &self.declaration.name;
        match (self.requirements.arguments, arguments) {
            (None, None | Some(serde_json::Value::Null)) => Ok(()),
            (None, Some(_)) => Err(Error::new(Code::BadArguments, "it takes no arguments")
                .task(name)
                .remedy("leave them out, or give the function an `Args<T>` parameter")),
            (Some(taken), arguments) => {
                (taken.check)(arguments.unwrap_or(&serde_json::Value::Null)).map_err(|error| {
                    Error::new(
                        Code::BadArguments,
                        format!("the arguments do not fit: {error}"),
                    )
                    .task(name)
                    .remedy("send the fields of the type in its `Args<T>`, as JSON")
                })
            }
        }
    }
}

/// The one of the names that was most likely meant: a function's name without its path is the
/// likeliest slip.
fn meant<'a>(name: &str, names: &BTreeSet<&'a str>) -> Option<&'a str> {
    let function = |name: &'a str| name.rsplit("::").next().unwrap_or(name);
    let mut same = names.iter().copied().filter(|one| function(one) == name);
    match (same.next(), same.next()) {
        (Some(only), None) => return Some(only),
        // The list has them all.
        (Some(_), Some(_)) => return None,
        (None, _) => {}
    }
    nearest(name, names.iter().copied()).or_else(|| {
        let close = nearest(name, names.iter().map(|one| function(one)))?;
        names.iter().copied().find(|one| function(one) == close)
    })
}

/// The names for people: the first ones of many.
fn listed(names: &BTreeSet<&str>) -> String {
    let first: Vec<&str> = names.iter().copied().take(LISTED).collect();
    let listed = format!("the tasks are: {}", first.join(", "));
    match names.len() - first.len() {
        0 => listed,
        more => format!("{listed}, and {} more: `bgtask list`", grouped(more)),
    }
}

/// `9,990`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn own_conditions(declaration: &Declaration) -> impl Iterator<Item = &str> {
    let asked = declaration.condition.as_ref().map(Condition::predicates);
    asked
        .into_iter()
        .flatten()
        .filter_map(|predicate| match predicate {
            Predicate::User(path) => Some(path.as_str()),
            _ => None,
        })
}

/// Those that name no group are not compared: they share a process only with their like.
fn check_groups<'a>(declarations: impl Iterator<Item = &'a Declaration>) -> Result<()> {
    let mut groups: BTreeMap<&str, &Declaration> = BTreeMap::new();
    for declaration in declarations {
        let Some(group) = declaration.group() else {
            continue;
        };
        let first = groups.entry(group).or_insert(declaration);
        if let Some((_, rule)) = declaration.conflict(first) {
            let error = Error::new(Code::InvalidDeclaration, rule.message);
            return Err(error
                .task(&declaration.name)
                .remedy(rule.help.unwrap_or_default()));
        }
    }
    Ok(())
}

/// An alias that hides a `Result` would record an `Err` as a completed value.
fn refuse_hidden_result(name: &str, output: &str) -> Result<()> {
    if output.starts_with("core::result::Result<") {
        return Err(Error::new(
            Code::InvalidDeclaration,
            format!("it returns `{output}` behind an alias whose name does not end with `Result`"),
        )
        .task(name)
        .remedy("write `Result<…>` in the signature, or rename the alias to end with `Result`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bgtask_model::grammar::{FieldValue, Identity};

    use super::*;

    fn declared(name: &str, host: &str, argument: &str, value: &str) -> Declaration {
        let identity = Identity {
            default_name: name.to_owned(),
            function: name.to_owned(),
            description: None,
        };
        let value = match value.parse() {
            Ok(number) => FieldValue::Int(number),
            Err(_) => FieldValue::from(value),
        };
        let fields = [
            ("trigger", "startup".into()),
            ("host", host.into()),
            (argument, value),
        ];
        let fields = fields.into_iter();
        let fields = fields.map(|(word, value)| (word.to_owned(), value));
        Declaration::from_fields(identity, fields).expect("a declaration")
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_one() {
        let names = BTreeSet::from([
            "mail::sync_mail",
            "mail::tidy",
            "old::tidy",
            "weekly report",
        ]);
        assert_eq!(meant("sync_mail", &names), Some("mail::sync_mail"));
        assert_eq!(meant("sync_mial", &names), Some("mail::sync_mail"));
        assert_eq!(meant("mail::sync_mial", &names), Some("mail::sync_mail"));
        assert_eq!(meant("weekly reprot", &names), Some("weekly report"));
        assert_eq!(meant("tidy", &names), None);
        assert_eq!(meant("banana", &names), None);
    }

    #[test]
    fn only_the_first_names_of_many_are_listed() {
        let names: Vec<String> = (0..10_000).map(|n| format!("t{n:04}")).collect();
        let of = |count: usize| listed(&names[..count].iter().map(String::as_str).collect());
        let ten =
            "the tasks are: t0000, t0001, t0002, t0003, t0004, t0005, t0006, t0007, t0008, t0009";
        assert_eq!(of(10), ten);
        assert_eq!(of(11), format!("{ten}, and 1 more: `bgtask list`"));
        assert_eq!(of(10_000), format!("{ten}, and 9,990 more: `bgtask list`"));
    }

    #[test]
    fn a_program_without_tasks_is_told_how_to_link_them() {
        let registry = Registry::default();
        assert!(registry.offer("a", []).contains("`use the_crate as _;`"));
        let built = registry.offer("weekly", ["weekly report"]);
        assert_eq!(built, "the tasks are: weekly report");
    }

    #[test]
    fn what_belongs_to_a_process_is_the_same_in_a_group() {
        for (argument, one, other) in [
            ("memory", "1GiB", "2GiB"),
            ("nice", "1", "2"),
            ("env", "A = \"1\"", "A = \"2\""),
            ("sandbox", "read = [\"/etc\"]", "write = [\"/etc\"]"),
        ] {
            let pair = |first: &str, second: &str, other: &str| {
                let first = declared("first", first, argument, one);
                let second = declared("second", second, argument, other);
                check_groups([&first, &second].into_iter())
            };
            let error = pair("process(\"a\")", "process(\"a\")", other).expect_err(argument);
            assert_eq!(error.code(), Code::InvalidDeclaration);
            let sentence = format!(
                "`second`: `{argument}` is not the same as in `first`, and the group `a` shares one process"
            );
            assert!(error.to_string().starts_with(&sentence), "{error}");
            assert!(pair("process(\"a\")", "process(\"a\")", one).is_ok());
            assert!(pair("process(\"a\")", "process(\"b\")", other).is_ok());
            assert!(pair("process", "process", other).is_ok());
        }
    }

    #[test]
    fn a_limit_of_a_run_may_differ_in_a_group() {
        let one = declared("first", "process(\"a\")", "timeout", "1m");
        let other = declared("second", "process(\"a\")", "timeout", "2m");
        assert!(check_groups([&one, &other].into_iter()).is_ok());
    }
}
