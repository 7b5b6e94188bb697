//! What only the compiler can check: constants against their limits, and names within the crate.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bgtask_model::Trigger;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote_spanned};

use super::private;
use crate::code::{code, piece};
use crate::path::generated;
use crate::task::Entry;

pub(super) fn checks(entry: &Entry) -> impl ToTokens {
    piece(move |out| {
        for (index, hole) in entry.drafted.holes.iter().enumerate() {
            let written = entry.table.written(&hole.at);
            let (from, to) = entry.table.spans(&hole.at);
            limit(hole.rule.variant(), index, &written, (from, to)).to_tokens(out);
        }
        if let Some((name, at)) = entry.explicit_name() {
            let name = readable(name);
            let name = format!("two_tasks_are_named__{name}__choose_another_name");
            marker(&name, at).to_tokens(out);
        }
        only_one(entry).to_tokens(out);
    })
}

/// An app has one task with each of these triggers; a second one in the crate does not compile.
fn only_one(entry: &Entry) -> Option<impl ToTokens> {
    let trigger = match entry.drafted.declaration.trigger {
        Trigger::MediaProcessing => "media_processing",
        Trigger::DeviceUse => "device_use",
        _ => return None,
    };
    let at = entry.table.spans(&entry.drafted.places.value("trigger")).0;
    Some(marker(&format!("an_app_has_one_{trigger}_task"), at))
}

/// The constant that holds the user's, so that a wrong type is one error.
pub(super) fn number(index: usize, span: Span) -> Ident {
    format_ident!("__BGTASK_NUMBER_{index}", span = span)
}

/// ```text
/// const __BGTASK_NUMBER_0: u32 = MINUTES;
/// const _: () = match HoleRule::TimeMinutes.check(__BGTASK_NUMBER_0) {
///     Some(rule) => panic!("{}", rule.message_with_help),
///     None => {}
/// };
/// ```
fn limit(rule: &str, index: usize, written: &TokenStream, (from, to): (Span, Span)) -> TokenStream {
    let private = private(from);
    let span = generated(from);
    let rule = Ident::new(rule, span);
    let number = number(index, span);
    let message = quote_spanned!(span=> ("{}", rule.message_with_help));
    // The panic is shown from its first token to its last: from the user's first to the last.
    let message = message.into_iter().map(|mut tree: TokenTree| {
        tree.set_span(generated(to));
        tree
    });
    let message: TokenStream = message.collect();
    quote_spanned! {span=>
        const #number: ::core::primitive::u32 = #written;
        const _: () = match #private::model::HoleRule::#rule.check(#number) {
            ::core::option::Option::Some(rule) => ::core::panic! #message,
            ::core::option::Option::None => {}
        };
    }
}

/// A macro of which a crate can have one: two do not compile, and the compiler shows both places
/// and its name, which is all that it lets us say. Across crates names are compared when the
/// manifest is read.
fn marker(name: &str, at: Span) -> impl ToTokens + use<> {
    let marker = Ident::new(name, Span::call_site().located_at(at));
    let span = generated(at);
    code! {span=>
        #[doc(hidden)]
        #[macro_export]
        macro_rules! #marker {
            () => {};
        }
    }
}

/// `name` as a part of an identifier: different for different names, and still to be read.
fn readable(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.chars().all(is_plain) {
        return name.to_owned();
    }
    let letters: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    format!("{letters}_{:08x}", hash.finish() >> 32)
}
