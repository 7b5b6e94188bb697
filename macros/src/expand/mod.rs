//! A checked task as code. Nothing here can fail.

mod checks;
mod entry;
mod handle;
mod start;
mod words;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

pub(crate) use entry::qualified;
pub(crate) use handle::{handle, named, output, requestable, task_type};

use crate::debug;
use crate::item::Item;
use crate::path::generated;
use crate::signature::Output;
use crate::task::{Entry, Task};

/// ```text
/// async fn sync(…) { … }          the function as written
/// struct sync {}                  its name among types, with `TaskType` and `NamedTask`
/// const _: () = { … };            for each attribute: checks, entry, start, registration
/// ```
pub(crate) fn task(task: &Task) -> TokenStream {
    let function = function(&task.item);
    let handle = handle::task(task);
    let entries = task.entries.iter().map(|entry| registration(task, entry));
    quote! {
        #function
        #handle
        #(#entries)*
    }
}

/// The function as written.
pub(crate) fn function(item: &Item) -> TokenStream {
    // A task is async for the runtime's sake, whether it waits for something or not.
    let allow = item.signature.asyncness.map(|token| {
        let span = generated(token.span);
        quote_spanned!(span=> #[allow(clippy::unused_async)])
    });
    quote!(#allow #item)
}

fn registration(task: &Task, entry: &Entry) -> TokenStream {
    // Cargo builds anew when the variable changes.
    let debug = debug::VARIABLE;
    let debug = quote!(let _ = ::core::option_env!(#debug););
    let words = words::words(entry);
    let checks = checks::checks(entry);
    let meta = entry::meta(task, entry);
    let start = start::start(task, entry);
    let private = entry.runtime.private(Span::call_site());
    // A `Result` behind an alias would pass for a value: the registry looks at the name.
    let value = match &task.shape.output {
        Output::Value(ty) => quote!(#ty),
        _ => quote!(()),
    };
    let span = generated(Span::call_site());
    quote_spanned! {span=>
        #[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
        const _: () = {
            #debug
            #words
            #checks
            #meta
            #start
            #private::submit! {
                #private::Linked::new(
                    &__BGTASK_ENTRY,
                    __bgtask_task,
                    ::core::any::type_name::<#value>,
                )
            }
        };
    }
}
