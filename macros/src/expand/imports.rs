//! What the code of an attribute imports: the runtime, and the words of the attribute, for an
//! editor: what it shows of `time`, and where it goes from there, is `bgtask::words::trigger::time`.

use std::sync::LazyLock;

use bgtask_model::{Trigger, grammar};
use proc_macro2::{Ident, Span};
use quote::ToTokens;

use super::private;
use crate::code::{code, piece};
use crate::path::generated;
use crate::task::Entry;

/// Where the runtime is named, once, so that a wrong path is one error:
/// ```text
/// use ::bgtask::__private as __bgtask;
/// use __bgtask::words::{trigger::time as _, condition::internet as _};
/// ```
pub(super) fn imports(entry: &Entry) -> impl ToTokens {
    let places = &entry.drafted.places;
    let mut trigger = entry.table.words(&places.value("trigger"));
    let mut words: Vec<(&str, Ident)> = Vec::new();
    words.extend(trigger.next().map(|word| ("trigger", word)));
    if let Trigger::System { .. } = entry.drafted.declaration.trigger {
        words.extend(trigger.next().map(|word| ("event", word)));
    }
    for condition in places.values("condition") {
        let here = entry.table.words(&condition);
        let here = here.filter(|word| CONDITIONS.contains(&word.to_string().as_str()));
        words.extend(here.map(|word| ("condition", word)));
    }
    let runtime = entry.runtime.as_written();
    let span = generated(Span::call_site());
    let words = piece(move |out| {
        for (index, (family, word)) in words.iter().enumerate() {
            if index > 0 {
                code!(span=> ,).to_tokens(out);
            }
            let family = Ident::new(family, span);
            code!(span=> #family::#word as _).to_tokens(out);
        }
    });
    let private = private(Span::call_site());
    code! {span=>
        use #runtime::__private as #private;
        use #private::words::{#words};
    }
}

static CONDITIONS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut families = grammar::words().into_iter();
    let found = families.find(|family| family.0 == "condition");
    found.map_or_else(Vec::new, |family| family.1)
});
