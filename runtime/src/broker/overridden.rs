//! What the user says otherwise than the program, put into the declarations before anything is
//! made of them.

use std::collections::BTreeMap;

use bgtask_model::{Declaration, FieldValue};

use crate::{
    Error, Result,
    dirs::Env,
    overrides::{Override, Overrides},
    registry::{Registry, Task},
};

/// What was said of the tasks, by name.
#[derive(Debug, Default)]
pub(super) struct Overridden {
    /// For people: what is said otherwise, where, and what the program declares.
    pub(super) told: BTreeMap<String, String>,
    /// What is said of it is wrong. It does not run: neither as declared nor otherwise.
    pub(super) refused: BTreeMap<String, Error>,
    /// What names no task.
    pub(super) warnings: Vec<String>,
}

/// Reads what the user of this process says of the app's tasks.
pub(super) fn read(app: &str, registry: &Registry) -> Overrides {
    let names: Vec<&str> = registry.names().collect();
    let file = Env::of_process().config_dir();
    let file = file.map(|dir| dir.join(format!("{app}.toml")));
    let variables = std::env::vars_os();
    let variables = variables
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let read = Overrides::read(file.as_deref(), variables, &names);
    for warning in &read.warnings {
        tracing::warn!("{warning}");
    }
    read
}

/// Declares the tasks as the user says.
pub(super) fn apply(registry: &mut Registry, overrides: &Overrides) -> Overridden {
    let mut overridden = Overridden {
        warnings: overrides.warnings.clone(),
        ..Overridden::default()
    };
    let names: Vec<String> = registry.names().map(str::to_owned).collect();
    for name in names {
        let said = match overrides.of(&name) {
            Ok([]) => continue,
            Ok(said) => said,
            Err(error) => {
                let help = error
                    .help()
                    .unwrap_or("correct it, or remove it")
                    .to_owned();
                let same = error.again().task(&name).remedy(help);
                overridden.refused.insert(name, same);
                continue;
            }
        };
        let Some(task) = registry.get(&name) else {
            continue;
        };
        match redeclared(registry, task, said) {
            Ok(declaration) => {
                let told = told(&task.declaration, said);
                tracing::info!(task = name, told, "overridden");
                registry.redeclare(&name, declaration);
                overridden.told.insert(name, told);
            }
            Err(error) => drop(overridden.refused.insert(name, error)),
        }
    }
    overridden
}

fn redeclared(registry: &Registry, task: &Task, said: &[Override]) -> Result<Declaration> {
    let is_said = |argument: &str| said.iter().any(|one| one.argument == argument);
    let declared = task.declaration.fields().into_iter();
    let kept = declared.filter(|(argument, _)| !is_said(argument));
    let kept = kept.map(|(argument, value)| (argument.to_owned(), value));
    // An empty condition is none; a trigger there has to be.
    let new = said
        .iter()
        .filter(|one| one.argument != "condition" || !one.text.is_empty());
    let new = new.map(|one| (one.argument.to_owned(), FieldValue::from(one.text.as_str())));
    let name = &task.declaration.name;
    let declared = task
        .declared_as(name, kept.chain(new))
        .and_then(
            |declaration| match registry.missing_conditions(&declaration) {
                missing if missing.is_empty() => Ok(declaration),
                missing => Err(missing),
            },
        );
    declared.map_err(|errors| {
        let errors = errors.into_iter().map(|error| placed(name, error, said));
        Error::all(errors.collect())
    })
}

/// The error with the place of what it is about.
fn placed(name: &str, error: Error, said: &[Override]) -> Error {
    let about = said.iter().find(|one| {
        let rest = error.rule().strip_prefix(one.argument);
        rest.is_some_and(|rest| rest.starts_with(": "))
    });
    let places = match about {
        Some(one) => one.place.clone(),
        None => said
            .iter()
            .map(|one| &*one.place)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let placed = Error::new(error.code(), format!("{places}: {}", error.rule())).task(name);
    match error.help() {
        Some(help) => placed.remedy(help),
        None => placed,
    }
}

/// ``trigger `time(60)` by /…/app.toml:2, declared as `time(15)` ``
fn told(declared: &Declaration, said: &[Override]) -> String {
    let declared = declared.fields();
    let one = |one: &Override| {
        let of = |found: &&(&str, FieldValue)| found.0 == one.argument;
        let before = match declared.iter().find(of) {
            Some((_, FieldValue::Text(text))) => format!("`{text}`"),
            _ => "none".to_owned(),
        };
        let now = match &*one.text {
            "" => "none".to_owned(),
            text => format!("`{text}`"),
        };
        format!(
            "{} {now} by {}, declared as {before}",
            one.argument, one.place
        )
    };
    said.iter().map(one).collect::<Vec<_>>().join("; ")
}
