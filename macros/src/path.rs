//! How generated code names the runtime: `::bgtask`, or what `crate = path` says.

use bgtask_model::Rule;
use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::parse::Parser;

use crate::code::{code, piece};

/// The runtime's path.
#[derive(Clone, Default)]
pub(crate) struct Runtime {
    /// `None` is `::bgtask`.
    path: Option<syn::Path>,
}

impl Runtime {
    /// The value of `crate = path`. It is used in places where a relative path would mean
    /// something else, so it starts at a crate's root.
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self, Rule> {
        let Ok(path) = Parser::parse2(syn::Path::parse_mod_style, tokens) else {
            let rule = Rule::new("crate_path", "`crate` takes a path");
            return Err(rule.help("write `crate = ::facade::bgtask`"));
        };
        let root = path.segments.first().map(|first| first.ident.to_string());
        let rooted = path.leading_colon.is_some()
            || root.is_some_and(|root| root == "crate" || root == "$crate");
        if rooted {
            return Ok(Self { path: Some(path) });
        }
        let written = path.to_token_stream().to_string().replace(' ', "");
        let rule = Rule::new("crate_path", format!("`{written}` is a relative path"));
        Err(rule.help(format!(
            "write `crate = ::{written}`, or `crate = crate::{written}`"
        )))
    }

    /// The path where the user wrote it, for the one place that the compiler is to show if nothing
    /// is there.
    pub(crate) fn as_written(&self) -> impl ToTokens {
        let span = generated(Span::call_site());
        piece(move |out| match &self.path {
            Some(path) => path.to_tokens(out),
            None => code!(span=> ::bgtask).to_tokens(out),
        })
    }

    /// The path, shown at `span` by the compiler when something in it is wrong.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match &self.path {
            Some(path) => located(path.to_token_stream(), span),
            None => {
                let span = generated(span);
                quote_spanned!(span=> ::bgtask)
            }
        }
    }

    /// What only expansions name, shown at `span`.
    pub(crate) fn private(&self, span: Span) -> TokenStream {
        let root = self.at(span);
        let span = generated(span);
        quote_spanned!(span=> #root::__private)
    }
}

/// The span of generated code that the compiler shows at `span`: names resolve as in the user's
/// module, locals of the user are out of reach, and lints know that it is not the user's code.
pub(crate) fn generated(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// `tokens` shown at `span`, resolved as they were.
pub(crate) fn located(tokens: TokenStream, span: Span) -> TokenStream {
    let locate = |mut tree: TokenTree| {
        if let TokenTree::Group(group) = &tree {
            let mut moved = Group::new(group.delimiter(), located(group.stream(), span));
            moved.set_span(group.span().located_at(span));
            return TokenTree::Group(moved);
        }
        tree.set_span(tree.span().located_at(span));
        tree
    };
    tokens.into_iter().map(locate).collect()
}
