//! The compiler's tokens as the grammar reads them: laid out flat, each with its number in a table
//! that leads back to the span.

use std::ops::Range;

use bgtask_model::grammar::{Token, TokenKind};
use proc_macro2::{Delimiter, Ident, Spacing, Span, TokenStream, TokenTree};

/// What stands at one place.
#[derive(Debug)]
struct Leaf {
    span: Span,
    /// The compiler's token or tokens (`::` is two); empty for a bracket.
    tokens: Vec<TokenTree>,
    /// `::`
    joins: bool,
}

/// The places of one attribute.
#[derive(Debug)]
pub(crate) struct Table {
    leaves: Vec<Leaf>,
    /// The attribute as a whole.
    whole: (Span, Span),
}

impl Table {
    pub(crate) const fn new(whole: (Span, Span)) -> Self {
        Self {
            leaves: Vec::new(),
            whole,
        }
    }

    /// The place of the attribute as a whole: the one behind the last token.
    pub(crate) fn whole(&self) -> Range<usize> {
        self.leaves.len()..self.leaves.len() + 1
    }

    /// The first and the last span of a place.
    pub(crate) fn spans(&self, at: &Range<usize>) -> (Span, Span) {
        let last = at.end.saturating_sub(1).max(at.start);
        match (self.leaves.get(at.start), self.leaves.get(last)) {
            (Some(first), Some(last)) => (first.span, last.span),
            _ => self.whole,
        }
    }

    /// What the user wrote at a place, to be written again.
    pub(crate) fn written(&self, at: &Range<usize>) -> TokenStream {
        let leaves = self.leaves.get(at.clone()).unwrap_or_default();
        leaves
            .iter()
            .flat_map(|leaf| &leaf.tokens)
            .cloned()
            .collect()
    }

    /// The words at a place that stand for themselves, not for a part of a path.
    pub(crate) fn words(&self, at: &Range<usize>) -> impl Iterator<Item = Ident> + use<'_> {
        let leaves = self.leaves.get(at.clone()).unwrap_or_default();
        let joins = |leaf: Option<&Leaf>| leaf.is_some_and(|leaf| leaf.joins);
        leaves.iter().enumerate().filter_map(move |(index, leaf)| {
            let Some(TokenTree::Ident(word)) = leaf.tokens.first() else {
                return None;
            };
            let before = index.checked_sub(1).and_then(|before| leaves.get(before));
            let alone = !joins(before) && !joins(leaves.get(index + 1));
            alone.then(|| word.clone())
        })
    }

    /// Adds tokens; they read the same as a text with the same characters would.
    pub(crate) fn add(&mut self, stream: TokenStream, out: &mut Vec<Token>) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let span = tree.span();
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ((TokenKind::Open, "("), (TokenKind::Close, ")")),
                        Delimiter::Bracket => ((TokenKind::Open, "["), (TokenKind::Close, "]")),
                        Delimiter::Brace => ((TokenKind::Other, "{"), (TokenKind::Other, "}")),
                        // Wraps what a `macro_rules!` macro passed on.
                        Delimiter::None => {
                            self.add(group.stream(), out);
                            continue;
                        }
                    };
                    self.leaf(open.0, open.1, group.span_open(), Vec::new(), out);
                    self.add(group.stream(), out);
                    self.leaf(close.0, close.1, group.span_close(), Vec::new(), out);
                }
                TokenTree::Ident(ident) => {
                    let text = ident.to_string();
                    self.leaf(TokenKind::Word, &text, span, vec![ident.into()], out);
                }
                TokenTree::Literal(literal) => {
                    let (kind, text) = literal_text(&literal);
                    self.leaf(kind, &text, span, vec![literal.into()], out);
                }
                TokenTree::Punct(punct) => {
                    let mut text = punct.as_char().to_string();
                    let mut tokens = vec![punct.clone().into()];
                    let twice = |next: &TokenTree| match next {
                        TokenTree::Punct(next) => next.as_char() == punct.as_char(),
                        _ => false,
                    };
                    if punct.spacing() == Spacing::Joint
                        && matches!(punct.as_char(), '&' | '|' | ':')
                        && let Some(next) = trees.next_if(twice)
                    {
                        text.push(punct.as_char());
                        tokens.push(next);
                    }
                    let kind = match text.as_str() {
                        "&&" | "||" | "::" | "!" | "," | "=" | "|" | "-" => TokenKind::Mark,
                        _ => TokenKind::Other,
                    };
                    self.leaf(kind, &text, span, tokens, out);
                }
            }
        }
    }

    fn leaf(
        &mut self,
        kind: TokenKind,
        text: &str,
        span: Span,
        tokens: Vec<TokenTree>,
        out: &mut Vec<Token>,
    ) {
        let at = self.leaves.len();
        out.push(Token::new(kind, text, at..at + 1));
        let joins = text == "::";
        self.leaves.push(Leaf {
            span,
            tokens,
            joins,
        });
    }
}

fn literal_text(literal: &proc_macro2::Literal) -> (TokenKind, String) {
    let written = literal.to_string();
    match syn::Lit::new(literal.clone()) {
        syn::Lit::Str(text) if text.suffix().is_empty() => (TokenKind::Text, text.value()),
        syn::Lit::Int(_) | syn::Lit::Float(_) => (TokenKind::Number, written),
        _ => (TokenKind::Other, written),
    }
}
