//! The type beside a function: `app.task::<sync_mail>()`.

use bgtask_model::Trigger;
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Visibility;
use syn::spanned::Spanned;

use super::entry::qualified;
use super::start::kind;
use crate::path::{Runtime, generated, located};
use crate::signature::{Output, Shape};
use crate::task::{Entry, Task};

pub(super) fn task(task: &Task) -> TokenStream {
    let handle = &task.handle;
    let function = &task.shape.name;
    let Some(first) = task.entries.first() else {
        return TokenStream::new();
    };
    let requested = task
        .entries
        .iter()
        .any(|entry| kind(&entry.drafted.declaration.trigger) == "Requested");
    let arguments = task.shape.arguments().filter(|_| requested);
    let arguments = arguments.map_or_else(|| quote!(()), |ty| quote!(#ty));
    let value = value(&task.shape.output, &first.runtime);
    let ty = task_type(&first.runtime, handle, &arguments, &value);
    let doc = format!(" The background task `{function}` as a type: `app.task::<{handle}>()`.");
    let item = self::handle(&doc, &task.item.visibility, handle);
    let named = (task.entries.len() == 1).then(|| {
        let name = first
            .explicit_name()
            .map_or_else(|| qualified(function), |(name, _)| quote!(#name));
        named(&first.runtime, handle, &name)
    });
    let is_requested = |entry: &Entry| {
        let trigger = &entry.drafted.declaration.trigger;
        matches!(trigger, Trigger::Application | Trigger::MediaProcessing)
    };
    let requested = task.entries.iter().any(is_requested);
    let requestable = requested.then(|| requestable(&first.runtime, handle));
    quote!(#item #ty #named #requestable)
}

/// `app.task::<f>().request(…)` compiles.
pub(crate) fn requestable(runtime: &Runtime, handle: &Ident) -> TokenStream {
    let private = runtime.private(handle.span());
    let span = generated(handle.span());
    quote_spanned!(span=> impl #private::Requestable for #handle {})
}

pub(crate) fn named(runtime: &Runtime, handle: &Ident, name: &TokenStream) -> TokenStream {
    let private = runtime.private(handle.span());
    let span = generated(handle.span());
    quote_spanned! {span=>
        impl #private::NamedTask for #handle {
            const NAME: &'static ::core::primitive::str = #name;
        }
    }
}

/// A braced struct lives among types only, so it may have the function's name. There is never a
/// value of it, and nothing to show of one.
pub(crate) fn handle(doc: &str, visibility: &Visibility, handle: &Ident) -> TokenStream {
    let span = generated(handle.span());
    quote_spanned! {span=>
        #[doc = #doc]
        #[allow(
            dead_code,
            missing_debug_implementations,
            non_camel_case_types,
            unreachable_pub,
            clippy::empty_structs_with_brackets,
            clippy::exhaustive_structs
        )]
        #visibility struct #handle {}
    }
}

pub(crate) fn task_type(
    runtime: &Runtime,
    handle: &Ident,
    arguments: &TokenStream,
    value: &TokenStream,
) -> TokenStream {
    let private = runtime.private(handle.span());
    let span = generated(handle.span());
    quote_spanned! {span=>
        impl #private::TaskType for #handle {
            type Args = #arguments;
            type Output = #value;
        }
    }
}

/// The return type as written.
pub(crate) fn output(shape: &Shape) -> TokenStream {
    match &shape.output {
        Output::Nothing => {
            let span = generated(shape.name.span());
            quote_spanned!(span=> ())
        }
        Output::Value(ty) | Output::Result { ty, .. } | Output::Alias(ty) => quote!(#ty),
    }
}

/// The return type without its `Result`.
fn value(output: &Output, runtime: &Runtime) -> TokenStream {
    match output {
        Output::Nothing => quote!(()),
        Output::Value(ty) => quote!(#ty),
        Output::Result { value, .. } => quote!(#value),
        Output::Alias(ty) => {
            let span = generated(ty.span());
            let private = runtime.private(ty.span());
            let ty = located(quote!(#ty), ty.span());
            quote_spanned!(span=> <#ty as #private::Return<#private::ViaResult>>::Value)
        }
    }
}
