//! The type beside a function: `app.task::<sync_mail>()`.

use bgtask_model::Trigger;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Visibility;
use syn::spanned::Spanned;

use super::entry::qualified;
use super::private;
use super::start::kind;
use crate::path::{generated, located};
use crate::signature::{Output, Shape};
use crate::task::{Entry, Task};

/// The type.
pub(super) fn item(task: &Task) -> TokenStream {
    let (handle, function) = (&task.handle, &task.shape.name);
    let doc = format!(" The background task `{function}` as a type: `app.task::<{handle}>()`.");
    self::handle(&doc, &task.item.visibility, handle)
}

/// What is known of the type.
pub(super) fn implementations(task: &Task) -> TokenStream {
    let handle = &task.handle;
    let function = &task.shape.name;
    let requested = task
        .entries
        .iter()
        .any(|entry| kind(&entry.drafted.declaration.trigger) == "Requested");
    let arguments = task.shape.arguments().filter(|_| requested);
    let arguments = arguments.map_or_else(|| quote!(()), |ty| quote!(#ty));
    let value = value(&task.shape.output);
    let private = private(handle.span());
    let ty = task_type(&private, handle, &arguments, &value);
    // Of several tasks of a function none is the one that its name stands for.
    let named = match task.entries.as_slice() {
        [only] => {
            let name = only
                .explicit_name()
                .map_or_else(|| qualified(function), |(name, _)| quote!(#name));
            Some(named(&private, handle, &name))
        }
        _ => None,
    };
    let is_requested = |entry: &Entry| {
        let trigger = &entry.drafted.declaration.trigger;
        matches!(trigger, Trigger::Application | Trigger::MediaProcessing)
    };
    let requested = task.entries.iter().any(is_requested);
    let requestable = requested.then(|| requestable(&private, handle));
    quote!(#ty #named #requestable)
}

/// `app.task::<f>().request(…)` compiles.
pub(crate) fn requestable(private: &impl ToTokens, handle: &Ident) -> TokenStream {
    let span = generated(handle.span());
    quote_spanned!(span=> impl #private::Requestable for #handle {})
}

pub(crate) fn named(private: &impl ToTokens, handle: &Ident, name: &TokenStream) -> TokenStream {
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
    private: &impl ToTokens,
    handle: &Ident,
    arguments: &TokenStream,
    value: &TokenStream,
) -> TokenStream {
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
fn value(output: &Output) -> TokenStream {
    match output {
        Output::Nothing => quote!(()),
        Output::Value(ty) => quote!(#ty),
        Output::Result { value, .. } => quote!(#value),
        Output::Alias(ty) => {
            let span = generated(ty.span());
            let private = private(ty.span());
            let ty = located(quote!(#ty), ty.span());
            quote_spanned!(span=> <#ty as #private::Return<#private::ViaResult>>::Value)
        }
    }
}
