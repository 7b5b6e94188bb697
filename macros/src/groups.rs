//! The tasks of a resource group share a process, so they state the same of it. The compiler hands
//! over one function at a time: what was said of a group is kept for the functions that follow.
//! What is in another crate is compared when the program starts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bgtask_model::Declaration;
use bgtask_model::grammar::Drafted;
use proc_macro2::Ident;

use crate::args::Args;
use crate::errors::Errors;

/// The first task of a group, and its function.
struct First {
    function: String,
    declaration: Declaration,
}

/// By crate and group.
type Groups = BTreeMap<(String, String), First>;

static GROUPS: Mutex<Groups> = Mutex::new(Groups::new());

/// Pushes a rule for each task that says something else of its group's process than the first one.
pub(crate) fn check(function: &Ident, given: &[(&Args, &Drafted)], errors: &mut Errors) {
    let Some(of) = being_compiled() else { return };
    let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
    // What was said of this very function is of an expansion before this one.
    let function = function.to_string();
    groups.retain(|(known, _), first| *known != of || first.function != function);
    for (args, drafted) in given {
        let declaration = &drafted.declaration;
        let Some(group) = declaration.group() else {
            continue;
        };
        let first = groups
            .entry((of.clone(), group.to_owned()))
            .or_insert_with(|| First {
                function: function.clone(),
                declaration: declaration.clone(),
            });
        let Some((argument, rule)) = declaration.conflict(&first.declaration) else {
            continue;
        };
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
