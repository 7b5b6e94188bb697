//! The type beside a function: `app.task::<sync_mail>()`.

use bgtask_model::Trigger;
use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::Visibility;
use syn::spanned::Spanned;

use super::entry::qualified;
use super::private;
use super::start::{is_given_arguments, kind};
use crate::code::{code, piece};
use crate::path::{generated, located};
use crate::signature::{Output, Shape};
use crate::task::{Entry, Task};

/// The type.
pub(super) fn item(task: &Task) -> impl ToTokens {
    let (handle, function) = (&task.handle, &task.shape.name);
    let doc = format!(" The background task `{function}` as a type: `app.task::<{handle}>()`.");
    self::handle(doc, &task.item.visibility, handle)
}

/// What is known of the type.
pub(super) fn implementations(task: &Task) -> impl ToTokens {
    let handle = &task.handle;
    let private = private(handle.span());
    let ty = task_type(
        private.clone(),
        handle,
        arguments(task),
        value(&task.shape.output),
    );
    // Of several tasks of a function none is the one that its name stands for.
    let named = match task.entries.as_slice() {
        [only] => Some(named(private.clone(), handle, name(task, only))),
        _ => None,
    };
    let mut triggers = task
        .entries
        .iter()
        .map(|entry| &entry.drafted.declaration.trigger);
    let requested = triggers
        .clone()
        .any(|trigger| matches!(trigger, Trigger::Application | Trigger::MediaProcessing));
    let for_a_device =
        triggers.any(|trigger| matches!(trigger, Trigger::DeviceUse | Trigger::DeviceServicing));
    let requestable = requested.then(|| requestable(private.clone(), handle));
    let of_devices = for_a_device.then(|| of_devices(private, handle));
    piece(move |out| {
        ty.to_tokens(out);
        named.to_tokens(out);
        requestable.to_tokens(out);
        of_devices.to_tokens(out);
    })
}

/// What a request takes.
fn arguments(task: &Task) -> impl ToTokens {
    let mut entries = task.entries.iter();
    let requested =
        entries.any(|entry| is_given_arguments(kind(&entry.drafted.declaration.trigger)));
    let arguments = task.shape.arguments().filter(|_| requested);
    piece(move |out| match arguments {
        Some(ty) => ty.to_tokens(out),
        None => nothing().to_tokens(out),
    })
}

/// The name of the task.
fn name(task: &Task, entry: &Entry) -> impl ToTokens {
    piece(move |out| match entry.explicit_name() {
        Some((name, _)) => name.to_tokens(out),
        None => qualified(&task.shape.name).to_tokens(out),
    })
}

fn nothing() -> impl ToTokens {
    code!(Span::call_site()=> ())
}

/// `app.task::<f>().request(…)` compiles.
pub(crate) fn requestable(private: impl ToTokens, handle: &Ident) -> impl ToTokens {
    let span = generated(handle.span());
    code!(span=> impl #private::Requestable for #handle {})
}

/// `app.task::<f>().request_device(…)` compiles.
fn of_devices(private: impl ToTokens, handle: &Ident) -> impl ToTokens {
    let span = generated(handle.span());
    code!(span=> impl #private::DeviceTask for #handle {})
}

pub(crate) fn named(private: impl ToTokens, handle: &Ident, name: impl ToTokens) -> impl ToTokens {
    let span = generated(handle.span());
    code! {span=>
        impl #private::NamedTask for #handle {
            const NAME: &'static ::core::primitive::str = #name;
        }
    }
}

/// A braced struct lives among types only, so it may have the function's name. There is never a
/// value of it, and nothing to show of one.
pub(crate) fn handle(doc: String, visibility: &Visibility, handle: &Ident) -> impl ToTokens {
    let span = generated(handle.span());
    code! {span=>
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
    private: impl ToTokens,
    handle: &Ident,
    arguments: impl ToTokens,
    value: impl ToTokens,
) -> impl ToTokens {
    let span = generated(handle.span());
    code! {span=>
        impl #private::TaskType for #handle {
            type Args = #arguments;
            type Output = #value;
        }
    }
}

/// The return type as written.
pub(crate) fn output(shape: &Shape) -> impl ToTokens {
    let span = generated(shape.name.span());
    piece(move |out| match &shape.output {
        Output::Nothing => code!(span=> ()).to_tokens(out),
        Output::Value(ty) | Output::Result { ty, .. } | Output::Alias(ty) => ty.to_tokens(out),
    })
}

/// The return type without its `Result`.
pub(super) fn value(output: &Output) -> impl ToTokens {
    piece(move |out| match output {
        Output::Nothing => nothing().to_tokens(out),
        Output::Value(ty) => ty.to_tokens(out),
        Output::Result { value, .. } => value.to_tokens(out),
        Output::Alias(ty) => {
            let span = generated(ty.span());
            let private = private(ty.span());
            let ty = located(ty.to_token_stream(), ty.span());
            code!(span=> <#ty as #private::Return<#private::ViaResult>>::Value).to_tokens(out);
        }
    })
}
