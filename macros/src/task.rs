//! `#[background_task]`: read, check, expand; or fall back.

use bgtask_model::grammar::{Drafted, Identity};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Attribute, Meta};

use crate::args::Args;
use crate::errors::Errors;
use crate::item::Item;
use crate::path::Runtime;
use crate::signature::Shape;
use crate::tokens::Table;
use crate::{check, debug, expand, fallback};

/// The last word of the attribute's path.
pub(crate) const ATTRIBUTE: &str = "background_task";

/// A function without a mistake in its attributes and signature.
pub(crate) struct Task {
    pub(crate) item: Item,
    pub(crate) shape: Shape,
    /// The name of the type beside it.
    pub(crate) handle: Ident,
    /// One for each attribute; never empty.
    pub(crate) entries: Vec<Entry>,
}

impl Task {
    /// The function's name and those that the attributes give.
    fn names(&self) -> impl Iterator<Item = String> {
        let entries = self.entries.iter().filter_map(Entry::explicit_name);
        let function = self.shape.name.unraw().to_string();
        entries.map(|(name, _)| name.to_owned()).chain([function])
    }
}

/// What one attribute declares.
pub(crate) struct Entry {
    pub(crate) drafted: Drafted,
    pub(crate) table: Table,
    pub(crate) runtime: Runtime,
}

impl Entry {
    /// The words of `name = "…"`, and where they are.
    pub(crate) fn explicit_name(&self) -> Option<(&str, Span)> {
        let places = &self.drafted.places;
        let span = self.table.spans(&places.value("name")).0;
        places
            .given("name")
            .then_some((self.drafted.declaration.name.as_str(), span))
    }
}

pub(crate) fn background_task(arguments: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(mut item) = Item::read(&tokens, ATTRIBUTE, &mut errors) else {
        let errors = errors.tokens();
        return quote!(#tokens #errors);
    };
    let whole = (Span::call_site(), Span::call_site());
    let mut args = vec![Args::read(arguments, whole)];
    // The outermost attribute is expanded first and sees the others.
    args.extend(item.strip(ATTRIBUTE).iter().map(further));
    let identity = identity(&item);
    let drafts: Vec<_> = args
        .iter_mut()
        .map(|args| args.draft(identity.clone(), &mut errors))
        .collect();
    let shape = Shape::of(&item.signature);
    let handle = check::task(&item, &shape, &args, &drafts, &mut errors);
    let runtime = args.first().map(|args| args.runtime.clone());
    let entries: Option<Vec<Entry>> = drafts
        .into_iter()
        .zip(args)
        .map(|(drafted, args)| {
            Some(Entry {
                drafted: drafted?,
                table: args.table,
                runtime: args.runtime,
            })
        })
        .collect();
    match entries {
        Some(entries) if errors.is_empty() => {
            let task = Task {
                item,
                shape,
                handle,
                entries,
            };
            let expanded = expand::task(&task);
            debug::print(task.names(), &expanded);
            expanded
        }
        _ => fallback::task(&item, &handle, &runtime.unwrap_or_default(), errors),
    }
}

/// The arguments of an attribute below the outermost one.
fn further(attribute: &Attribute) -> Args {
    let tokens = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
    };
    let brackets = attribute.bracket_token.span;
    Args::read(tokens, (attribute.pound_token.span(), brackets.close()))
}

/// What the function says of its task; names are completed by the module's path later.
fn identity(item: &Item) -> Identity {
    let function = item.signature.ident.to_string();
    Identity {
        default_name: function.clone(),
        function,
        description: item.description(),
    }
}
