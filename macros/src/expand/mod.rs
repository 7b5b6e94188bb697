//! A checked task as code. Nothing here can fail.

mod checks;
mod entry;
mod handle;
mod imports;
mod start;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

pub(crate) use entry::qualified;
pub(crate) use handle::{handle, named, output, requestable, task_type};

use crate::debug;
use crate::item::Item;
use crate::path::generated;
use crate::task::{Entry, Task};

/// ```text
/// async fn sync(…) { … }          the function as written
/// struct sync {}                  its name among types
/// const _: () = { … };            for each attribute: checks, entry, start, registration; in the
///                                 first also what is known of the type
/// ```
pub(crate) fn task(task: &Task) -> TokenStream {
    let function = function(&task.item);
    let handle = handle::item(task);
    let known = std::iter::once(handle::implementations(task));
    let known = known.chain(std::iter::repeat(TokenStream::new()));
    let entries = task.entries.iter().zip(known);
    let entries = entries.map(|(entry, known)| registration(task, entry, &known));
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

/// The runtime's private module, in the code of an attribute.
fn private(span: Span) -> Ident {
    Ident::new("__bgtask", generated(span))
}

fn registration(task: &Task, entry: &Entry, known: &TokenStream) -> TokenStream {
    let debug = debug::mention();
    let imports = imports::imports(entry);
    let checks = checks::checks(entry);
    let start = start::start(task, entry);
    let register = entry::register(task, entry);
    let span = generated(Span::call_site());
    quote_spanned! {span=>
        #[allow(non_local_definitions, unused_imports, clippy::all, clippy::pedantic)]
        const _: () = {
            #debug
            #imports
            #known
            #checks
            #start
            #register
        };
    }
}
