//! Tokens: what the grammar reads. A text gives the same ones as the compiler does.

use std::fmt::Write as _;
use std::ops::Range;

use super::Mistake;
use crate::Rule;

/// The longest text that is read, in bytes.
pub(crate) const TEXT_LIMIT: usize = 64 * 1024;

/// The smallest thing with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What kind it is.
    pub kind: TokenKind,
    /// The word, number or mark as written; of a string literal what it stands for.
    pub text: String,
    /// Where it is: bytes of the text it was read from, or positions in the caller's table.
    pub at: Range<usize>,
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A name: `time`, `internet`, `MINUTES`; keywords of Rust too.
    Word,
    /// A string literal, without quotes and escapes.
    Text,
    /// A number as written, with underscores and suffix: `15`, `43_200`, `0.8`, `15u32`, `10s`.
    Number,
    /// Punctuation, one token each: `&&`, `||`, `!`, `,`, `=`, `|`, `::`, `-`.
    Mark,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// Anything else, as written. The grammar has no use for it and says so.
    Other,
}

impl Token {
    /// A token.
    #[must_use]
    pub fn new(kind: TokenKind, text: impl Into<String>, at: Range<usize>) -> Self {
        Self {
            kind,
            text: text.into(),
            at,
        }
    }

    pub(crate) fn is_mark(&self, mark: &str) -> bool {
        self.kind == TokenKind::Mark && self.text == mark
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text == word
    }

    /// The token as a person would write it.
    pub(crate) fn written(&self) -> String {
        if self.kind == TokenKind::Text {
            quote(&self.text)
        } else {
            self.text.clone()
        }
    }
}

/// `text` as a string literal that [`tokenize`] reads back.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads a text as tokens; `at` counts its bytes.
///
/// ```
/// use bgtask_model::grammar::{TokenKind, tokenize};
///
/// let tokens = tokenize("internet && battery_above(30)").unwrap();
/// assert_eq!(tokens.len(), 6);
/// assert_eq!(tokens[1].kind, TokenKind::Mark);
/// assert_eq!(tokens[2].at, 12..25);
/// ```
///
/// # Errors
///
/// An open string literal or parenthesis, an escape that means nothing, a text of more than
/// 64 KiB.
pub fn tokenize(text: &str) -> Result<Vec<Token>, Mistake> {
    if text.len() > TEXT_LIMIT {
        let rule = Rule::new("text_length", "the text has more than 65536 bytes");
        let rule = rule.help("write a shorter one");
        return Err(Mistake::new(rule, 0..text.len()));
    }
    let mut tokens = Vec::new();
    let mut open: Vec<(char, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, length) = if c == '"' {
            let (literal, length) = literal(rest, start)?;
            at += length;
            tokens.push(Token::new(TokenKind::Text, literal, start..at));
            continue;
        } else if c.is_ascii_digit() {
            (TokenKind::Number, number_length(rest))
        } else if c == '_' || c.is_alphabetic() {
            let raw = if rest.starts_with("r#") { 2 } else { 0 };
            (TokenKind::Word, raw + word_length(&rest[raw..]))
        } else if let Some(mark) = ["&&", "||", "::", "!", ",", "=", "|", "-"]
            .into_iter()
            .find(|mark| rest.starts_with(mark))
        {
            (TokenKind::Mark, mark.len())
        } else if matches!(c, '(' | '[') {
            open.push((if c == '(' { ')' } else { ']' }, start..start + 1));
            (TokenKind::Open, 1)
        } else if matches!(c, ')' | ']') {
            let opened = open.pop();
            if opened.as_ref().is_none_or(|(close, _)| *close != c) {
                let rule = Rule::new("unbalanced", format!("`{c}` closes nothing"))
                    .help("remove it, or open it where its group starts");
                return Err(Mistake::new(rule, start..start + 1));
            }
            (TokenKind::Close, 1)
        } else {
            (TokenKind::Other, c.len_utf8())
        };
        at += length;
        tokens.push(Token::new(kind, &rest[..length], start..at));
    }
    if let Some((close, opened)) = open.pop() {
        let rule = Rule::new(
            "unbalanced",
            format!("`{}` is not closed", &text[opened.clone()]),
        )
        .help(format!("add `{close}`"));
        return Err(Mistake::new(rule, opened));
    }
    Ok(tokens)
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| c != '_' && !c.is_alphanumeric())
        .unwrap_or(text.len())
}

/// Digits, underscores and a suffix; a dot only between digits.
fn number_length(text: &str) -> usize {
    let whole = word_length(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            whole + 1 + word_length(fraction)
        }
        _ => whole,
    }
}

/// The meaning of the string literal that `text` starts with, and its length with quotes.
fn literal(text: &str, start: usize) -> Result<(String, usize), Mistake> {
    let mut meaning = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((meaning, at + 1)),
            '\\' => match escape(&text[at + 1..]) {
                Some((c, length)) => {
                    meaning.push(c);
                    // `length` counts bytes; every escape is ASCII.
                    for _ in 0..length {
                        chars.next();
                    }
                }
                None => {
                    let rule = Rule::new("unknown_escape", "`\\` starts no known escape").help(
                        "write `\\\\` for a backslash, `\\\"` for a quote, `\\n` for a new line",
                    );
                    return Err(Mistake::new(rule, start + at..start + at + 1));
                }
            },
            c => meaning.push(c),
        }
    }
    let rule = Rule::new("open_text", "this text is not closed").help("add `\"` at its end");
    Err(Mistake::new(rule, start..start + text.len()))
}

/// The character of the escape after a backslash, and the escape's length.
fn escape(text: &str) -> Option<(char, usize)> {
    let simple = |c| Some((c, 1));
    match text.chars().next()? {
        '"' => simple('"'),
        '\'' => simple('\''),
        '\\' => simple('\\'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        '0' => simple('\0'),
        'x' => {
            let digits = text.get(1..3)?;
            let code = u8::from_str_radix(digits, 16).ok()?;
            (code < 0x80 && !digits.starts_with('+')).then(|| (char::from(code), 3))
        }
        'u' => {
            let digits = text.get(1..)?.strip_prefix('{')?.split_once('}')?.0;
            if digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            let code = u32::from_str_radix(digits, 16).ok()?;
            Some((char::from_u32(code)?, digits.len() + 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(TokenKind, String)> {
        let tokens = tokenize(text).expect(text);
        tokens.into_iter().map(|t| (t.kind, t.text)).collect()
    }

    #[test]
    fn one_token_of_each_kind() {
        use TokenKind::{Close, Mark, Number, Open, Other, Text, Word};
        for (text, kind, meaning) in [
            ("time", Word, "time"),
            ("r#type", Word, "r#type"),
            ("größe_2", Word, "größe_2"),
            ("43_200", Number, "43_200"),
            ("0.8", Number, "0.8"),
            ("15u32", Number, "15u32"),
            (r#""a \"b\" \\ \n \u{e9} \x41""#, Text, "a \"b\" \\ \n é A"),
            ("&&", Mark, "&&"),
            ("||", Mark, "||"),
            ("|", Mark, "|"),
            ("::", Mark, "::"),
            ("-", Mark, "-"),
            ("&", Other, "&"),
            (";", Other, ";"),
        ] {
            assert_eq!(read(text), [(kind, meaning.to_owned())], "{text}");
        }
        let group = [(Open, "(".to_owned()), (Close, ")".to_owned())];
        assert_eq!(read("( )"), group);
    }

    #[test]
    fn a_number_ends_before_a_dot_without_digit() {
        assert_eq!(read("15.x").len(), 3);
    }

    #[test]
    fn broken_texts_say_where() {
        for (text, code, at) in [
            ("time(15", "unbalanced", 4..5),
            ("time 15)", "unbalanced", 7..8),
            ("([)]", "unbalanced", 2..3),
            ("push(\"a", "open_text", 5..7),
            (r#""\q""#, "unknown_escape", 1..2),
            (r#""\u{110000}""#, "unknown_escape", 1..2),
            (r#""\xff""#, "unknown_escape", 1..2),
        ] {
            let mistake = tokenize(text).expect_err(text);
            assert_eq!((mistake.rule.code, mistake.at), (code, at), "{text}");
        }
        let long = "a".repeat(TEXT_LIMIT + 1);
        assert_eq!(tokenize(&long).unwrap_err().rule.code, "text_length");
    }

    proptest::proptest! {
        #[test]
        fn quoted_text_is_read_back(text in proptest::prelude::any::<String>()) {
            let tokens = tokenize(&quote(&text)).unwrap();
            proptest::prop_assert_eq!(&tokens[0].text, &text);
            proptest::prop_assert_eq!(tokens.len(), 1);
        }

        #[test]
        fn no_text_panics(text in proptest::prelude::any::<String>()) {
            if let Ok(tokens) = tokenize(&text) {
                for token in tokens {
                    proptest::prop_assert!(text.get(token.at).is_some());
                }
            }
        }
    }
}
