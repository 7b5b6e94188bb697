//! The task's line in the manifest: JSON in a section of the executable.

use std::fmt::Write as _;

use bgtask_model::{Condition, FieldValue, Predicate};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use super::checks::number;
use super::private;
use crate::code::{code, piece};
use crate::path::{generated, located};
use crate::signature::Output;
use crate::task::{Entry, Task};

/// `concat!(module_path!(), "::name")`
pub(crate) fn qualified(name: &Ident) -> impl ToTokens + use<> {
    let span = generated(name.span());
    let name = in_module(name);
    code!(span=> ::core::concat!(::core::module_path!(), #name))
}

/// What follows the module's path.
fn in_module(name: &Ident) -> String {
    format!("::{name}")
}

/// ```text
/// __bgtask::register!(concat!(module_path!(), "::sync"), "::sync", ",\"trigger\":…"; ());
/// ```
/// with the constants of the user's, and the texts behind each of them, before the `;`.
pub(super) fn register(task: &Task, entry: &Entry) -> impl ToTokens {
    let private = private(Span::call_site());
    let span = generated(Span::call_site());
    let function = &task.shape.name;
    let name = piece(move |out| match entry.explicit_name() {
        Some((name, _)) => {
            let mut escaped = String::new();
            escape(name, &mut escaped);
            escaped.to_tokens(out);
        }
        None => qualified(function).to_tokens(out),
    });
    let function = in_module(function);
    let rest = rest(entry);
    // A `Result` behind an alias would pass for a value: the registry looks at the name.
    let output = piece(move |out| match &task.shape.output {
        Output::Value(ty) => ty.to_tokens(out),
        _ => code!(span=> ()).to_tokens(out),
    });
    code!(span=> #private::register!(#name, #function, #rest; #output);)
}

/// What the declaration says, as texts and constants in turn.
fn rest(entry: &Entry) -> Text {
    let declaration = &entry.drafted.declaration;
    let mut text = Text::default();
    if let Some(description) = &declaration.description {
        text.last.push_str(",\"description\":\"");
        escape(description, &mut text.last);
        text.last.push('"');
    }
    let constants = Constants::of(entry);
    let mut declaration = declaration.clone();
    if let Some(condition) = &mut declaration.condition {
        constants.mark(condition);
    }
    for (word, value) in declaration.fields() {
        let _ = write!(text.last, ",\"{word}\":");
        match value {
            FieldValue::Bool(value) => text.last.push_str(&value.to_string()),
            FieldValue::Int(value) => text.last.push_str(&value.to_string()),
            FieldValue::Text(value) => {
                text.last.push('"');
                constants.split(&value, &mut text);
                text.last.push('"');
            }
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(text.last, ",\"macros\":\"{version}\"}}\u{3}");
    text
}

/// A text among constants, as the arguments of a macro.
#[derive(Default)]
struct Text {
    /// Each constant, and what stands before it.
    before: Vec<(String, TokenStream)>,
    last: String,
}

impl Text {
    fn constant(&mut self, constant: &TokenStream) {
        let text = std::mem::take(&mut self.last);
        self.before.push((text, constant.clone()));
    }
}

impl ToTokens for Text {
    fn to_tokens(&self, out: &mut TokenStream) {
        for (text, constant) in &self.before {
            out.extend(quote!(#text, #constant,));
        }
        self.last.to_tokens(out);
    }
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
    fn split(&self, value: &str, text: &mut Text) {
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
            escape(&rest[..at], &mut text.last);
            text.constant(constant);
            rest = &rest[at + mark.len()..];
        }
        escape(rest, &mut text.last);
    }
}

/// Not to be found in any path.
fn mark(index: usize) -> String {
    format!("\u{1}{index}\u{1}")
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
