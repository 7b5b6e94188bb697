//! The rules of a task that look at more than one argument's value: its signature, and what its
//! attributes say together.

use bgtask_model::grammar::Drafted;
use proc_macro2::Ident;

use crate::args::Args;
use crate::errors::Errors;
use crate::item::Item;
use crate::signature;

/// Pushes every rule that is broken; gives the name of the type beside the function.
pub(crate) fn task(
    item: &Item,
    args: &[Args],
    drafts: &[Option<Drafted>],
    errors: &mut Errors,
) -> Ident {
    let given: Vec<_> = args
        .iter()
        .zip(drafts)
        .filter_map(|(args, drafted)| Some((args, drafted.as_ref()?)))
        .collect();
    if args.len() > 1 {
        names(&item.signature.ident, &given, errors);
    }
    let handle = handle(&given, errors);
    signature::check(&item.signature, "background task", errors);
    handle.unwrap_or_else(|| item.signature.ident.clone())
}

/// Several tasks of one function: each is told from the others by a name of its own.
fn names(function: &Ident, given: &[(&Args, &Drafted)], errors: &mut Errors) {
    let mut known: Vec<&str> = Vec::new();
    for (args, drafted) in given {
        let name = drafted.declaration.name.as_str();
        if !drafted.places.given("name") {
            let message = format!(
                "`{function}` has several `#[background_task]`, and each needs its own name\n  help: add `name = \"…\"`"
            );
            args.push(&args.table.whole(), &message, errors);
        } else if known.contains(&name) {
            let message = format!(
                "two tasks of `{function}` are named `{name}`\n  help: choose another name for one of them"
            );
            args.push(&drafted.places.value("name"), &message, errors);
        } else {
            known.push(name);
        }
    }
}

/// `handle = Name`, at most once on a function.
fn handle(given: &[(&Args, &Drafted)], errors: &mut Errors) -> Option<Ident> {
    let mut handle: Option<Ident> = None;
    for (args, drafted) in given {
        let Some(word) = &drafted.handle else {
            continue;
        };
        let at = drafted.places.value("handle");
        match syn::parse_str::<Ident>(word) {
            Ok(_) if handle.is_some() => {
                let message = "`handle` is given twice\n  help: a function has one; keep one";
                args.push(&drafted.places.keyword("handle"), message, errors);
            }
            Ok(mut ident) => {
                ident.set_span(args.table.spans(&at).0);
                handle = Some(ident);
            }
            Err(_) => {
                let message =
                    format!("`{word}` is no name of a type\n  help: write `handle = SyncMail`");
                args.push(&at, &message, errors);
            }
        }
    }
    handle
}
