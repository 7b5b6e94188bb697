//! Declarations as named fields: how a manifest and an override file hold them.

use std::ops::Range;

use super::Mistake;
use super::call::inside;
use super::draft::{Draft, Identity};
use super::token::{Token, TokenKind, quote, tokenize};
use crate::cron::is_schedule;
use crate::text::{bytes, env_text, span_text};
use crate::word::{ARGUMENTS, Argument};
use crate::{Declaration, Delivery, Host, OnOverrun};

/// The value of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A text: the words of the grammar, or the text itself where an argument takes one.
    Text(String),
    /// A flag.
    Bool(bool),
    /// A number.
    Int(i64),
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl Declaration {
    /// Who it is: what [`from_fields`](Self::from_fields) needs beside the fields.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            default_name: self.name.clone(),
            function: self.function.clone(),
            description: self.description.clone(),
        }
    }

    /// What was stated beside [`identity`](Self::identity), each under its argument's word and in
    /// a fixed order: the trigger always, everything else only if it is not the default.
    ///
    /// ```
    /// use bgtask_model::grammar::{FieldValue, Identity};
    /// use bgtask_model::Declaration;
    ///
    /// let identity = Identity {
    ///     default_name: "app::sync".to_owned(),
    ///     function: "app::sync".to_owned(),
    ///     description: None,
    /// };
    /// let fields = [
    ///     ("trigger".to_owned(), FieldValue::from("time(15)")),
    ///     ("condition".to_owned(), FieldValue::from("internet&&ac_power")),
    /// ];
    /// let declaration = Declaration::from_fields(identity, fields.into_iter()).unwrap();
    /// assert_eq!(
    ///     declaration.fields(),
    ///     [
    ///         ("trigger", FieldValue::from("time(15)")),
    ///         ("condition", FieldValue::from("internet && ac_power")),
    ///     ]
    /// );
    /// ```
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, FieldValue)> {
        let options = &self.options;
        let mut fields = Vec::new();
        let mut text = |argument: Argument, value: Option<String>| {
            fields.extend(value.map(|value| (argument.word(), FieldValue::Text(value))));
        };
        text(Argument::Trigger, Some(self.trigger.to_string()));
        text(
            Argument::Condition,
            self.condition.as_ref().map(ToString::to_string),
        );
        let host = Some(&self.host).filter(|host| **host != Host::InProcess);
        text(Argument::Host, host.map(ToString::to_string));
        text(Argument::Timeout, options.timeout.map(span_text));
        text(Argument::Grace, options.grace.map(span_text));
        text(Argument::Memory, options.memory.map(bytes));
        text(Argument::Cpu, options.cpu.map(span_text));
        let retry = options.retry.as_ref().map(ToString::to_string);
        text(Argument::Retry, retry);
        text(
            Argument::Overlap,
            options.overlap.map(|value| value.to_string()),
        );
        text(
            Argument::Pending,
            options.pending.map(|value| value.to_string()),
        );
        text(
            Argument::Missed,
            options.missed.map(|value| value.to_string()),
        );
        text(Argument::Exclusive, options.exclusive.clone());
        text(Argument::Jitter, options.jitter.map(span_text));
        text(
            Argument::RegistrationGroup,
            options.registration_group.clone(),
        );
        text(Argument::Unique, options.unique.clone());
        let delivery = Some(options.delivery).filter(|value| *value != Delivery::AtLeastOnce);
        text(Argument::Delivery, delivery.map(|value| value.to_string()));
        let overrun = Some(options.on_overrun).filter(|value| *value != OnOverrun::Report);
        text(Argument::OnOverrun, overrun.map(|value| value.to_string()));
        let sandbox = options.sandbox.as_ref().map(ToString::to_string);
        text(Argument::Sandbox, sandbox);
        let env = Some(&options.env).filter(|env| !env.is_empty());
        text(Argument::Env, env.map(|env| env_text(env)));
        text(Argument::IdleTimeout, options.idle_timeout.map(span_text));
        for (argument, set) in [
            (
                Argument::CancelOnConditionLoss,
                options.cancel_on_condition_loss,
            ),
            (Argument::NetworkRequested, options.network_requested),
            (Argument::Standby, options.standby),
            (Argument::MultipleInstances, options.multiple_instances),
        ] {
            if set {
                fields.push((argument.word(), FieldValue::Bool(true)));
            }
        }
        if !options.register {
            fields.push((Argument::Register.word(), FieldValue::Bool(false)));
        }
        if options.priority != 0 {
            let priority = FieldValue::Int(options.priority.into());
            fields.push((Argument::Priority.word(), priority));
        }
        if let Some(nice) = options.nice {
            fields.push((Argument::Nice.word(), FieldValue::Int(nice.into())));
        }
        fields
    }

    /// Reads fields by the rules of the attribute. `name` and `description` may be among them; a
    /// flag or a number may also be given as text, as an environment variable holds it.
    ///
    /// # Errors
    ///
    /// All mistakes. `argument` of each names its field, and `at` counts the bytes of that
    /// field's text; what is missing has no field.
    pub fn from_fields(
        identity: Identity,
        fields: impl Iterator<Item = (String, FieldValue)>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut draft = Draft::from_text();
        // Fields are laid out one after the other, so that places order and tell them apart.
        let mut fields_at: Vec<(String, usize, usize)> = Vec::new();
        let mut inner_quotes: Vec<Option<String>> = Vec::new();
        let mut next = 0;
        for (word, value) in fields {
            let start = next + 1;
            let unquoted = unquoted(&word, &value);
            let (tokens, length) = tokens_of(&word, value, start);
            let keyword = Token::new(TokenKind::Word, word.as_str(), start..start + length);
            match tokens {
                Ok(tokens) => draft.argument(keyword, tokens),
                Err(mistake) => draft.broken(keyword, mistake),
            }
            next = start + length;
            fields_at.push((word, start, next));
            inner_quotes.push(unquoted);
        }
        let end = next + 1;
        match draft.finish(identity, end..end) {
            Ok(drafted) => Ok(drafted.declaration),
            Err(mut mistakes) => {
                for mistake in &mut mistakes {
                    let place = mistake.at.start;
                    let after = fields_at.partition_point(|field| field.1 <= place);
                    let index = after.checked_sub(1);
                    let index = index.filter(|before| place <= fields_at[*before].2);
                    let Some(index) = index else {
                        mistake.at = 0..0;
                        mistake.also.clear();
                        continue;
                    };
                    let (word, start, end) = &fields_at[index];
                    if let Some(plain) = &inner_quotes[index] {
                        let help = format!("leave the inner quotes out: `{plain}`");
                        mistake.rule.help = Some(help.into());
                    }
                    let inside = |at: &Range<usize>| at.start >= *start && at.end <= *end;
                    let shift = |at: &Range<usize>| at.start - start..at.end - start;
                    mistake.argument = Some(word.as_str().into());
                    mistake.at = shift(&mistake.at);
                    // Another field has its own text to count in; the sentence names it.
                    mistake.also.retain(|(at, _)| inside(at));
                    for (at, _) in &mut mistake.also {
                        *at = shift(at);
                    }
                }
                Err(mistakes)
            }
        }
    }

    /// Every rule that a declaration made by hand breaks, the same ones as in an attribute; empty
    /// if it breaks none. Places are those of [`from_fields`](Self::from_fields).
    ///
    /// ```
    /// let mut declaration = bgtask_model::Declaration::from_fields(
    ///     bgtask_model::grammar::Identity {
    ///         default_name: "app::sync".to_owned(),
    ///         function: "app::sync".to_owned(),
    ///         description: None,
    ///     },
    ///     [("trigger".to_owned(), "time(15)".into())].into_iter(),
    /// )
    /// .unwrap();
    /// assert!(declaration.check().is_empty());
    /// declaration.trigger = bgtask_model::Trigger::Time { minutes: 5, once: false };
    /// declaration.options.nice = Some(5);
    /// let codes: Vec<_> = declaration.check().iter().map(|mistake| mistake.rule.code).collect();
    /// assert_eq!(codes, ["time_minutes", "process_argument"]);
    /// ```
    #[must_use]
    pub fn check(&self) -> Vec<Mistake> {
        let name = ("name".to_owned(), FieldValue::Text(self.name.clone()));
        let stated = self.fields().into_iter();
        let stated = stated.map(|(word, value)| (word.to_owned(), value));
        match Self::from_fields(self.identity(), std::iter::once(name).chain(stated)) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes,
        }
    }

    /// The text whose change means that the task was declared anew: name, trigger, condition,
    /// host and options, one line each; not the description.
    ///
    /// A literal of a number and a constant of the same value give the same text, and so do
    /// `1h` and `60m`.
    #[must_use]
    pub fn fingerprint_text(&self) -> String {
        let mut text = format!("name = {}\n", quote(&self.name));
        for (word, value) in self.fields() {
            let value = match value {
                FieldValue::Text(value) => {
                    let bare = ARGUMENTS
                        .value(word)
                        .is_some_and(|known| known.is_bare_text());
                    if bare { quote(&value) } else { value }
                }
                FieldValue::Bool(value) => value.to_string(),
                FieldValue::Int(value) => value.to_string(),
            };
            text.push_str(&format!("{word} = {value}\n"));
        }
        text
    }
}

/// What stands in the quotes of a text that takes none.
fn unquoted(word: &str, value: &FieldValue) -> Option<String> {
    let FieldValue::Text(text) = value else {
        return None;
    };
    let bare = ARGUMENTS
        .value(word)
        .is_some_and(|known| known.is_bare_text());
    let plain = text.trim().strip_prefix('"').filter(|_| bare)?;
    Some(plain.strip_suffix('"').unwrap_or(plain).to_owned())
}

/// The tokens of a field whose value starts at `start`, and the length of the value.
fn tokens_of(word: &str, value: FieldValue, start: usize) -> (Result<Vec<Token>, Mistake>, usize) {
    let is_text = matches!(value, FieldValue::Text(_));
    let text = match value {
        FieldValue::Text(text) => text,
        FieldValue::Bool(value) => {
            let text = value.to_string();
            let length = text.len();
            let token = Token::new(TokenKind::Word, text, start..start + length);
            return (Ok(vec![token]), length);
        }
        FieldValue::Int(value) => value.to_string(),
    };
    let length = text.len();
    let bare = ARGUMENTS
        .value(word)
        .is_none_or(|known| known.is_bare_text());
    // A schedule alone is one text: what is wrong with it is said of all of it.
    if is_text && (bare || word == "trigger" && is_schedule(&text)) {
        let token = Token::new(TokenKind::Text, text, start..start + length);
        return (Ok(vec![token]), length);
    }
    let tokens = tokenize(&text).map(|mut tokens| {
        // `retry(max = 5)` under `retry`: the argument as the attribute has it. A trigger and a
        // condition have words of their own.
        let repeats =
            tokens.len() > 2 && tokens[0].kind == TokenKind::Word && tokens[0].text == word;
        if repeats
            && !["trigger", "condition"].contains(&word)
            && inside(&tokens[1..], "(").is_some()
        {
            tokens.remove(0);
        }
        for token in &mut tokens {
            token.at = token.at.start + start..token.at.end + start;
        }
        if tokens.is_empty() {
            // Nothing is not the same as a flag alone.
            tokens.push(Token::new(TokenKind::Text, "", start..start + length));
        }
        tokens
    });
    let tokens = tokens.map_err(|mut mistake| {
        mistake.at = mistake.at.start + start..mistake.at.end + start;
        mistake
    });
    (tokens, length)
}
