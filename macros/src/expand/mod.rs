//! A checked task as code. Nothing here can fail.

mod checks;
mod entry;
mod handle;
mod imports;
mod start;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

pub(crate) use entry::qualified;
pub(crate) use handle::{handle, named, output, requestable, task_type};

use crate::code::{code, piece};
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
    let mut expanded = TokenStream::new();
    function(&task.item).to_tokens(&mut expanded);
    handle::item(task).to_tokens(&mut expanded);
    for (index, entry) in task.entries.iter().enumerate() {
        let known = (index == 0).then(|| handle::implementations(task));
        registration(task, entry, known).to_tokens(&mut expanded);
    }
    expanded
}

/// The function as written.
pub(crate) fn function(item: &Item) -> impl ToTokens {
    // A task is async for the runtime's sake, whether it waits for something or not.
    let allow = item.signature.asyncness.map(|token| {
        let span = generated(token.span);
        code!(span=> #[allow(clippy::unused_async)])
    });
    piece(move |out| {
        allow.to_tokens(out);
        item.to_tokens(out);
    })
}

/// The runtime's private module, in the code of an attribute.
fn private(span: Span) -> Ident {
    Ident::new("__bgtask", generated(span))
}

fn registration(task: &Task, entry: &Entry, known: Option<impl ToTokens>) -> impl ToTokens {
    let debug = debug::mention();
    let imports = imports::imports(entry);
    let checks = checks::checks(entry);
    let start = start::start(task, entry);
    let register = entry::register(task, entry);
    let span = generated(Span::call_site());
    code! {span=>
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
