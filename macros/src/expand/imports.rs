//! What the code of an attribute imports: the runtime, and the words of the attribute, for an
//! editor: what it shows of `time`, and where it goes from there, is `bgtask::words::trigger::time`.

use bgtask_model::{Trigger, grammar};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};

use super::private;
use crate::path::generated;
use crate::task::Entry;

/// Where the runtime is named, once, so that a wrong path is one error:
/// ```text
/// use ::bgtask::__private as __bgtask;
/// use __bgtask::words::{trigger::time as _, condition::internet as _};
/// ```
pub(super) fn imports(entry: &Entry) -> TokenStream {
    let places = &entry.drafted.places;
    let mut trigger = entry.table.words(&places.value("trigger"));
    let mut words: Vec<(&str, Ident)> = Vec::new();
    words.extend(trigger.next().map(|word| ("trigger", word)));
    if let Trigger::System { .. } = entry.drafted.declaration.trigger {
        words.extend(trigger.next().map(|word| ("event", word)));
    }
    let known = grammar::words();
    let known = known.iter().find(|family| family.0 == "condition");
    for condition in places.values("condition") {
        let here = entry.table.words(&condition);
        let here = here.filter(|word| known.is_some_and(|known| is_in(&known.1, word)));
        words.extend(here.map(|word| ("condition", word)));
    }
    let runtime = entry.runtime.as_written();
    let span = generated(Span::call_site());
    let words = words.iter().map(|(family, word)| {
        let family = format_ident!("{family}", span = span);
        quote_spanned!(span=> #family::#word as _)
    });
    let private = private(Span::call_site());
    quote_spanned! {span=>
        use #runtime::__private as #private;
        use #private::words::{#(#words),*};
    }
}

fn is_in(words: &[&str], word: &Ident) -> bool {
    words.iter().any(|known| word == known)
}
