//! The tasks of a resource group share a process, so they state the same of it. The compiler hands
//! over one function at a time: what was said of a group is kept for the functions that follow.
//! What is in another crate is compared when the program starts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bgtask_model::grammar::Drafted;
use bgtask_model::{Host, ProcessSettings, Rule};
use proc_macro2::Ident;

use crate::args::Args;
use crate::errors::Errors;

/// What the first task of a group says.
#[derive(Clone, Debug)]
struct First {
    function: String,
    task: String,
    settings: ProcessSettings,
}

/// By crate and group.
type Groups = HashMap<(String, String), First>;

static GROUPS: Mutex<Option<Groups>> = Mutex::new(None);

/// Pushes a rule for each task that says something else of its group's process than the first one.
pub(crate) fn check(function: &Ident, given: &[(&Args, &Drafted)], errors: &mut Errors) {
    let Some(of) = being_compiled() else { return };
    let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    let groups = groups.get_or_insert_default();
    // What was said of this very function is of an expansion before this one.
    let function = function.to_string();
    groups.retain(|(known, _), first| *known != of || first.function != function);
    for (args, drafted) in given {
        let declaration = &drafted.declaration;
        let Host::Process { group: Some(group) } = &declaration.host else {
            continue;
        };
        let settings = declaration.options.process_settings();
        let key = (of.clone(), group.clone());
        let Some(first) = groups.get(&key) else {
            let first = First {
                function: function.clone(),
                task: declaration.name.clone(),
                settings,
            };
            groups.insert(key, first);
            continue;
        };
        let Some(argument) = settings.difference(&first.settings) else {
            continue;
        };
        let rule = Rule::new(
            "group_settings",
            format!(
                "`{argument}` is not the same as in `{}`, and the group `{group}` shares one process",
                first.task
            ),
        );
        let rule = rule.help(format!(
            "state the same `{argument}` in both, or another group for one"
        ));
        let at = if drafted.places.given(argument) {
            drafted.places.keyword(argument)
        } else {
            drafted.places.value("host")
        };
        args.push(&at, &rule, errors);
    }
}

/// The crate that cargo has compiled. An editor's server lives long, and would compare with what
/// is no longer written.
fn being_compiled() -> Option<String> {
    if std::env::var_os("RUST_ANALYZER_INTERNALS_DO_NOT_USE").is_some() {
        return None;
    }
    let name = |variable: &str| std::env::var(variable).ok();
    Some(format!(
        "{} {}",
        name("CARGO_PKG_NAME")?,
        name("CARGO_CRATE_NAME")?
    ))
}
