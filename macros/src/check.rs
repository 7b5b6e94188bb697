//! The rules of a task that look at more than one argument's value: its signature, and what its
//! attributes say together.

use std::ops::Range;

use bgtask_model::Rule;
use bgtask_model::grammar::Drafted;
use proc_macro2::Ident;

use crate::args::Args;
use crate::errors::Errors;
use crate::groups;
use crate::item::Item;
use crate::signature::{self, Shape};

/// Pushes every rule that is broken; gives the name of the type beside the function.
pub(crate) fn task(
    item: &Item,
    shape: &Shape,
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
    groups::check(&item.signature.ident, &given, errors);
    let handle = handle(&given, errors);
    signature::check(&item.signature, signature::TASK, errors);
    one_args(shape, errors);
    handle.unwrap_or_else(|| item.signature.ident.clone())
}

/// Several tasks of one function: each is told from the others by a name of its own.
fn names(function: &Ident, given: &[(&Args, &Drafted)], errors: &mut Errors) {
    let mut known: Vec<(&str, &Args, Range<usize>)> = Vec::new();
    for (args, drafted) in given {
        let name = drafted.declaration.name.as_str();
        let at = drafted.places.value("name");
        if !drafted.places.given("name") {
            let rule = Rule::new(
                "name_of_several",
                format!(
                    "`{function}` has several `#[background_task]`, and each needs its own name"
                ),
            );
            args.push(
                &args.table.whole(),
                &rule.help("add `name = \"…\"`"),
                errors,
            );
        } else if let Some((_, first, first_at)) = known.iter().find(|known| known.0 == name) {
            let rule = Rule::new(
                "same_name",
                format!("two tasks of `{function}` are named `{name}`"),
            );
            let rule = rule.help("choose another name for one of them");
            args.push(&at, &rule, errors);
            first.also(first_at, "named first here", errors);
        } else {
            known.push((name, args, at));
        }
    }
}

/// `handle = Name`, at most once on a function.
fn handle(given: &[(&Args, &Drafted)], errors: &mut Errors) -> Option<Ident> {
    let mut handle: Option<(Ident, &Args, Range<usize>)> = None;
    for (args, drafted) in given {
        let Some(word) = &drafted.handle else {
            continue;
        };
        let at = drafted.places.value("handle");
        let keyword = drafted.places.keyword("handle");
        match (syn::parse_str::<Ident>(word), &handle) {
            (Ok(_), Some((_, first, first_at))) => {
                let rule = Rule::new(
                    "handle_twice",
                    "a function has one `handle`, this is a second one",
                );
                args.push(&keyword, &rule.help("keep one of them"), errors);
                first.also(first_at, "given first here", errors);
            }
            (Ok(mut ident), None) => {
                ident.set_span(args.table.spans(&at).0);
                handle = Some((ident, args, keyword));
            }
            (Err(_), _) => {
                let rule = Rule::new("handle_name", format!("`{word}` is no name of a type"));
                args.push(&at, &rule.help("write `handle = SyncMail`"), errors);
            }
        }
    }
    handle.map(|handle| handle.0)
}

/// A request has one value, so a task takes one `Args<T>`.
fn one_args(shape: &Shape, errors: &mut Errors) {
    let args = shape
        .parameters
        .iter()
        .filter(|parameter| parameter.arguments.is_some());
    for more in args.skip(1) {
        let rule = Rule::new(
            "one_args",
            "a background task takes one `Args<T>`, this is a second one",
        );
        let help = "take both in one: `Args((a, b)): Args<(A, B)>`, or a struct of your own";
        errors.push(&more.ty, &rule.help(help));
    }
}
