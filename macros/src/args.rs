//! The arguments of one `#[background_task]`, split at their commas and read by the grammar.

use std::ops::Range;

use bgtask_model::Rule;
use bgtask_model::grammar::{Draft, Drafted, Identity, Mistake, Token, TokenKind};
use proc_macro2::{Span, TokenStream};

use crate::errors::{Errors, between};
use crate::path::Runtime;
use crate::tokens::Table;

/// The arguments as written, not judged yet.
pub(crate) struct Args {
    pub(crate) table: Table,
    pub(crate) runtime: Runtime,
    arguments: Vec<Argument>,
    /// What is no argument at all.
    mistakes: Vec<Mistake>,
}

#[derive(Debug)]
struct Argument {
    keyword: Token,
    /// The `=` behind the keyword.
    equals: Option<Token>,
    value: Vec<Token>,
}

impl Args {
    /// `whole` is where to report what is missing: from and to.
    pub(crate) fn read(stream: TokenStream, whole: (Span, Span)) -> Self {
        let mut table = Table::new(whole);
        let mut tokens = Vec::new();
        table.add(stream, &mut tokens);
        let mut args = Self {
            table,
            runtime: Runtime::default(),
            arguments: Vec::new(),
            mistakes: Vec::new(),
        };
        let mut path_at = None;
        for argument in split(tokens) {
            let Some(argument) = args.argument(argument) else {
                continue;
            };
            if argument.keyword.text == "crate" {
                args.runtime_path(argument, &mut path_at);
            } else {
                args.arguments.push(argument);
            }
        }
        args
    }

    fn argument(&mut self, mut tokens: Vec<Token>) -> Option<Argument> {
        let mut rest = tokens.split_off(tokens.len().min(1));
        let keyword = tokens.pop()?;
        let Some(next) = rest.first() else {
            return Some(Argument {
                keyword,
                equals: None,
                value: rest,
            });
        };
        if next.kind == TokenKind::Mark && next.text == "=" {
            let equals = Some(rest.remove(0));
            return Some(Argument {
                keyword,
                equals,
                value: rest,
            });
        }
        let grouped = next.kind == TokenKind::Open
            && next.text == "("
            && closes_at_end(&rest)
            && keyword.kind == TokenKind::Word;
        if grouped {
            return Some(Argument {
                keyword,
                equals: None,
                value: rest,
            });
        }
        let rule = if keyword.kind == TokenKind::Word {
            Rule::new(
                "argument_form",
                format!("unexpected `{}` after `{}`", next.text, keyword.text),
            )
            .help(format!("write `{} = …`", keyword.text))
        } else {
            Rule::new(
                "argument_form",
                format!("`{}` is no argument", keyword.text),
            )
            .help("write `argument = value`, such as `trigger = time(15)`")
        };
        let at = if keyword.kind == TokenKind::Word {
            next.at.clone()
        } else {
            keyword.at.clone()
        };
        // The argument counts as given, so that it is not reported as missing too.
        self.mistakes.push(Mistake::new(rule, at));
        None
    }

    fn runtime_path(&mut self, argument: Argument, first: &mut Option<Range<usize>>) {
        let at = match (argument.value.first(), argument.value.last()) {
            (Some(first), Some(last)) => first.at.start..last.at.end,
            _ => argument.keyword.at.clone(),
        };
        if let Some(first) = first {
            let rule = Rule::new(
                "given_twice",
                format!("`{}` is given twice", argument.keyword.text),
            );
            let rule = rule.help("keep one of them");
            let mistake = Mistake::new(rule, argument.keyword.at);
            self.mistakes
                .push(mistake.also(first.clone(), "given first here"));
            return;
        }
        *first = Some(argument.keyword.at);
        // `crate` alone and `crate(path)` have no value.
        let written = argument.equals.map(|_| &argument.value[..]);
        let written = match written {
            Some([_, ..]) => self.table.written(&at),
            _ => TokenStream::new(),
        };
        match Runtime::parse(written) {
            Ok(runtime) => self.runtime = runtime,
            Err(rule) => self.mistakes.push(Mistake::new(rule, at)),
        }
    }

    /// Judges them. `None` if a mistake was pushed.
    pub(crate) fn draft(&mut self, identity: Identity, errors: &mut Errors) -> Option<Drafted> {
        let mut mistakes = std::mem::take(&mut self.mistakes);
        let unread = !mistakes.is_empty();
        let mut draft = Draft::new();
        let mut empty = Vec::new();
        for argument in self.arguments.drain(..) {
            if let Some(equals) = argument.equals.filter(|_| argument.value.is_empty()) {
                empty.push((argument.keyword.clone(), equals));
            }
            draft.argument(argument.keyword, argument.value);
        }
        let drafted = match draft.finish(identity, self.table.whole()) {
            Ok(drafted) => Some(drafted),
            Err(found) => {
                // An argument that could not be read may be the one that seems to be missing.
                let missing = |mistake: &Mistake| mistake.at == self.table.whole();
                mistakes.extend(
                    found
                        .into_iter()
                        .filter(|found| !(unread && missing(found))),
                );
                None
            }
        };
        for (keyword, equals) in empty {
            if !mistakes.iter().any(|mistake| mistake.at == keyword.at) {
                let rule = Rule::new(
                    "missing_value",
                    format!("`{} =` has no value", keyword.text),
                );
                let help = format!("write it behind `=`, or `{}` alone", keyword.text);
                mistakes.push(Mistake::new(rule.help(help), equals.at));
            }
        }
        mistakes.sort_by_key(|mistake| (mistake.at.start, mistake.at.end));
        for mistake in &mistakes {
            self.push(&mistake.at, &mistake.rule, errors);
            for (at, what) in &mistake.also {
                self.also(at, what, errors);
            }
        }
        drafted.filter(|_| mistakes.is_empty())
    }

    pub(crate) fn push(&self, at: &Range<usize>, rule: &Rule, errors: &mut Errors) {
        errors.push(&between(self.table.spans(at)), rule);
    }

    /// Another place of the rule pushed before, with what it is.
    pub(crate) fn also(&self, at: &Range<usize>, what: &str, errors: &mut Errors) {
        errors.also(&between(self.table.spans(at)), what);
    }
}

/// Splits at the commas outside brackets. One at the end is fine.
fn split(tokens: Vec<Token>) -> Vec<Vec<Token>> {
    let mut arguments = vec![Vec::new()];
    let mut depth = 0_usize;
    for token in tokens {
        match (token.kind, token.text.as_str()) {
            (TokenKind::Open, _) | (TokenKind::Other, "{") => depth += 1,
            (TokenKind::Close, _) | (TokenKind::Other, "}") => depth = depth.saturating_sub(1),
            (TokenKind::Mark, ",") if depth == 0 => {
                arguments.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = arguments.last_mut() {
            last.push(token);
        }
    }
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// Whether the bracket at the start closes at the end.
fn closes_at_end(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1 == tokens.len();
        }
    }
    false
}
