//! The arguments of `#[background_condition]` and `#[bgtask::main]`: `word = path`.

use bgtask_model::Rule;
use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Ident, Path, Token, ext::IdentExt};

use crate::errors::Errors;
use crate::path::Runtime;

/// What may be set.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) runtime: Runtime,
    pub(crate) setup: Option<Path>,
}

impl Settings {
    /// `known` are the words that the attribute takes.
    pub(crate) fn read(tokens: TokenStream, known: &[&str], errors: &mut Errors) -> Self {
        let mut settings = Self::default();
        let mut given: Vec<Ident> = Vec::new();
        for argument in split(tokens) {
            let first = argument.clone().into_iter().next();
            let parsed = (|input: ParseStream<'_>| {
                let word = input.call(Ident::parse_any)?;
                input.parse::<Token![=]>()?;
                Ok((word, input.call(Path::parse_mod_style)?))
            })
            .parse2(argument);
            let (word, path) = match (parsed, first) {
                (Ok(parsed), _) => parsed,
                (Err(_), Some(TokenTree::Ident(word))) if known.iter().any(|k| word == k) => {
                    let example = if word == "setup" { "setup" } else { "::bgtask" };
                    let rule = Rule::new("setting_form", format!("`{word}` takes a path"));
                    errors.push(&word, &rule.help(format!("write `{word} = {example}`")));
                    continue;
                }
                (Err(_), Some(first)) => {
                    errors.push(&first, &unknown(&first.to_string(), known));
                    continue;
                }
                (Err(_), None) => continue,
            };
            if let Some(first) = given.iter().find(|given| **given == word) {
                let rule = Rule::new("given_twice", format!("`{word}` is given twice"));
                errors.push(&word, &rule.help("keep one of them"));
                errors.also(first, "given first here");
                continue;
            }
            match word.to_string().as_str() {
                "crate" => match Runtime::parse(quote::quote!(#path)) {
                    Ok(runtime) => settings.runtime = runtime,
                    Err(rule) => errors.push(&path, &rule),
                },
                "setup" if known.contains(&"setup") => settings.setup = Some(path),
                text => errors.push(&word, &unknown(text, known)),
            }
            given.push(word);
        }
        settings
    }
}

fn unknown(word: &str, known: &[&str]) -> Rule {
    let rule = Rule::new("unknown_argument", format!("unknown argument `{word}`"));
    if let Some(meant) = bgtask_model::nearest(word, known.iter().copied()) {
        return rule.help(format!("did you mean `{meant}`?"));
    }
    let known: Vec<_> = known
        .iter()
        .map(|known| format!("`{known} = path`"))
        .collect();
    rule.help(format!("expected {}, or nothing", known.join(" or ")))
}

/// Splits at the commas.
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut arguments = vec![TokenStream::new()];
    for tree in tokens {
        match (&tree, arguments.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => {
                arguments.push(TokenStream::new());
            }
            (_, Some(last)) => last.extend([tree]),
            (_, None) => {}
        }
    }
    arguments.retain(|argument| !argument.is_empty());
    arguments
}
