//! Every mistake of one attribute, told in one build.

use std::thread;

use bgtask_model::Rule;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};

/// Collects mistakes. It must be emptied with [`tokens`](Self::tokens): one that is forgotten
/// would accept a wrong program, so a debug build panics.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    errors: Vec<syn::Error>,
    told: bool,
}

impl Errors {
    pub(crate) fn push(&mut self, at: &impl ToTokens, rule: &Rule) {
        self.errors.push(syn::Error::new_spanned(at, rule));
    }

    /// Another place of the rule pushed before, with what it is.
    pub(crate) fn also(&mut self, at: &impl ToTokens, what: &str) {
        self.errors.push(syn::Error::new_spanned(at, what));
    }

    pub(crate) fn push_syn(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// All of them as `compile_error!`s.
    pub(crate) fn tokens(mut self) -> TokenStream {
        self.told = true;
        self.errors
            .iter()
            .map(syn::Error::to_compile_error)
            .collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        if cfg!(debug_assertions) && !self.told && !self.is_empty() && !thread::panicking() {
            panic!("mistakes were found and not told");
        }
    }
}

/// Tokens from the first span to the last; a stable compiler cannot join them, but it underlines
/// an error from its first token to its last.
pub(crate) fn between((from, to): (Span, Span)) -> TokenStream {
    let (from, to) = (Ident::new("from", from), Ident::new("to", to));
    quote!(#from #to)
}
