//! The task's line in the manifest: JSON in a section of the executable.

use std::fmt::Write as _;

use bgtask_model::{Condition, FieldValue, Predicate};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::checks::number;
use super::private;
use crate::path::{generated, located};
use crate::task::{Entry, Task};

/// A part of the entry's text.
enum Piece {
    /// Text, escaped already.
    Text(String),
    /// A macro that `concat!` can take.
    Macro(TokenStream),
    /// A constant `&str`, which `concat!` cannot take.
    Constant(TokenStream),
}

/// `concat!(module_path!(), "::", "name")`
pub(crate) fn qualified(name: &Ident) -> TokenStream {
    let span = generated(name.span());
    let name = name.to_string();
    quote_spanned!(span=> ::core::concat!(::core::module_path!(), "::", #name))
}

/// ```text
/// #[unsafe(link_section = ".bgtask")]
/// static __BGTASK_ENTRY: [::core::primitive::u8; __BGTASK_TEXT.len()] = *__BGTASK_TEXT.as_bytes().first_chunk().unwrap();
/// ```
/// It is not `#[used]`: the linker keeps it exactly if it keeps the registration that refers to it.
pub(super) fn meta(task: &Task, entry: &Entry) -> TokenStream {
    let private = private(Span::call_site());
    let span = generated(Span::call_site());
    let groups = groups(pieces(task, entry));
    let (text, length, bytes) = if let [only] = groups.as_slice() {
        (
            quote_spanned!(span=> const __BGTASK_TEXT: &::core::primitive::str = #only;),
            quote_spanned!(span=> __BGTASK_TEXT.len()),
            // The length is the text's own, so the chunk is there.
            quote_spanned! {span=>
                match __BGTASK_TEXT.as_bytes().first_chunk() {
                    ::core::option::Option::Some(bytes) => *bytes,
                    ::core::option::Option::None => ::core::unreachable!(),
                }
            },
        )
    } else {
        (
            quote_spanned!(span=> const __BGTASK_TEXT: &[&::core::primitive::str] = &[#(#groups),*];),
            quote_spanned!(span=> #private::joined_len(__BGTASK_TEXT)),
            quote_spanned!(span=> #private::joined(__BGTASK_TEXT)),
        )
    };
    quote_spanned! {span=>
        #text
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__bgtask"))]
        #[cfg_attr(
            not(any(target_vendor = "apple", target_family = "wasm")),
            unsafe(link_section = ".bgtask")
        )]
        static __BGTASK_ENTRY: [::core::primitive::u8; #length] = #bytes;
    }
}

fn pieces(task: &Task, entry: &Entry) -> Vec<Piece> {
    let span = generated(Span::call_site());
    let declaration = &entry.drafted.declaration;
    let function = task.shape.name.to_string();
    let mut pieces = Vec::new();
    let mut text = "\u{2}BGTASK1\u{2}{\"name\":\"".to_owned();
    let module = || quote_spanned!(span=> ::core::module_path!());
    let mut then = |text: &mut String, stream: TokenStream| {
        pieces.push(Piece::Text(std::mem::take(text)));
        pieces.push(Piece::Macro(stream));
    };
    match entry.explicit_name() {
        Some((name, _)) => escape(name, &mut text),
        None => {
            then(&mut text, module());
            let _ = write!(text, "::{function}");
        }
    }
    text.push_str("\",\"function\":\"");
    then(&mut text, module());
    let _ = write!(text, "::{function}\",\"crate\":\"");
    then(
        &mut text,
        quote_spanned!(span=> ::core::env!("CARGO_PKG_NAME")),
    );
    text.push_str("\",\"crate_version\":\"");
    then(
        &mut text,
        quote_spanned!(span=> ::core::env!("CARGO_PKG_VERSION")),
    );
    text.push('"');
    if let Some(description) = &declaration.description {
        text.push_str(",\"description\":\"");
        escape(description, &mut text);
        text.push('"');
    }
    let constants = Constants::of(entry);
    let mut declaration = declaration.clone();
    if let Some(condition) = &mut declaration.condition {
        constants.mark(condition);
    }
    for (word, value) in declaration.fields() {
        let _ = write!(text, ",\"{word}\":");
        match value {
            FieldValue::Bool(value) => text.push_str(&value.to_string()),
            FieldValue::Int(value) => text.push_str(&value.to_string()),
            FieldValue::Text(value) => {
                text.push('"');
                constants.split(&value, &mut text, &mut pieces);
                text.push('"');
            }
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(text, ",\"macros\":\"{version}\"}}\u{3}");
    text.push('\n');
    pieces.push(Piece::Text(text));
    pieces
}

/// What stands in the declaration for a constant of the user's, and the constant's text.
struct Constants {
    known: Vec<(String, TokenStream)>,
    /// Paths of conditions as written, in the order of `known`'s first.
    paths: Vec<String>,
}

impl Constants {
    fn of(entry: &Entry) -> Self {
        let mut known = Vec::new();
        let mut paths = Vec::new();
        for (at, path) in &entry.drafted.user_conditions {
            let (shown, _) = entry.table.spans(at);
            let written = entry.table.written(at);
            let private = private(shown);
            let span = generated(shown);
            // Inside a string literal the path is the literal's text.
            let name = if syn::parse2::<syn::LitStr>(written.clone()).is_ok() {
                located(path.parse().unwrap_or_default(), shown)
            } else {
                written
            };
            let name = quote_spanned!(span=> <#name as #private::ConditionType>::NAME);
            known.push((mark(paths.len()), name));
            paths.push(path.clone());
        }
        for (index, hole) in entry.drafted.holes.iter().enumerate() {
            let (shown, _) = entry.table.spans(&hole.at);
            let private = private(shown);
            let span = generated(shown);
            let number = number(index, span);
            let digits = quote_spanned!(span=> {
                const DIGITS: #private::Digits = #private::Digits::of(#number);
                DIGITS.as_str()
            });
            known.push((hole.stand_in.to_string(), digits));
        }
        Self { known, paths }
    }

    /// Puts a mark in the place of each path.
    fn mark(&self, condition: &mut Condition) {
        match condition {
            Condition::Is(Predicate::User(path)) => {
                if let Some(index) = self.paths.iter().position(|known| known == path) {
                    *path = mark(index);
                }
            }
            Condition::Is(_) => {}
            Condition::Not(inner) => self.mark(inner),
            Condition::All(parts) | Condition::Any(parts) => {
                for part in parts {
                    self.mark(part);
                }
            }
        }
    }

    /// Cuts `value` where a constant belongs.
    fn split(&self, value: &str, text: &mut String, pieces: &mut Vec<Piece>) {
        let mut rest = value;
        loop {
            let next = self
                .known
                .iter()
                .filter_map(|known| Some((rest.find(&known.0)?, known)))
                .min_by_key(|found| found.0);
            let Some((at, (mark, constant))) = next else {
                break;
            };
            escape(&rest[..at], text);
            pieces.push(Piece::Text(std::mem::take(text)));
            pieces.push(Piece::Constant(constant.clone()));
            rest = &rest[at + mark.len()..];
        }
        escape(rest, text);
    }
}

/// Not to be found in any path.
fn mark(index: usize) -> String {
    format!("\u{1}{index}\u{1}")
}

/// One expression for each constant and for each run of pieces between them.
fn groups(pieces: Vec<Piece>) -> Vec<TokenStream> {
    let span = generated(Span::call_site());
    let mut groups = Vec::new();
    let mut run: Vec<TokenStream> = Vec::new();
    let close = |run: &mut Vec<TokenStream>| {
        let run = std::mem::take(run);
        quote_spanned!(span=> ::core::concat!(#(#run),*))
    };
    for piece in pieces {
        match piece {
            Piece::Text(text) => run.push(quote_spanned!(span=> #text)),
            Piece::Macro(stream) => run.push(stream),
            Piece::Constant(constant) => {
                groups.push(close(&mut run));
                groups.push(constant);
            }
        }
    }
    groups.push(close(&mut run));
    groups
}

/// Escapes for a JSON string.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}
