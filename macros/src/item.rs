//! The annotated function, kept as the tokens the user wrote; only the signature is parsed.

use bgtask_model::Rule;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Signature, Token, Visibility, parse_quote};

use crate::errors::Errors;
use crate::task::ATTRIBUTE;

/// A function.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// All behind the attributes as written: what is parsed may lose an empty `where`, and nothing
    /// looks into the body, which may be half typed.
    written: Vec<TokenTree>,
    /// It is no `fn sync();` of a trait or an `extern` block.
    has_body: bool,
}

impl Parse for Item {
    /// The body may be left out: what is parsed is copied whole, however large it is.
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let item = Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            written: Vec::new(),
            has_body: !input.peek(Token![;]),
        };
        if !input.is_empty() {
            input.parse::<TokenStream>()?;
        }
        Ok(item)
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        tokens.append_all(&self.written);
    }
}

impl Item {
    fn of(tokens: &TokenStream) -> syn::Result<Self> {
        let mut written: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let body = written.pop_if(
            |last| matches!(last, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace),
        );
        let mut item: Self = syn::parse2(written.iter().cloned().collect())?;
        written.extend(body);
        // `#` and `[…]` of each.
        item.written = written.split_off(2 * item.attributes.len());
        Ok(item)
    }

    /// The function in `tokens`; `None` if it is something else, which was pushed.
    pub(crate) fn read(tokens: &TokenStream, attribute: &str, errors: &mut Errors) -> Option<Self> {
        match Self::of(tokens) {
            Ok(item) if !item.has_body => {
                let rule = Rule::new(
                    "no_body",
                    format!("`#[{attribute}]` is for functions with a body"),
                );
                let help = "write it above an `async fn` outside a trait";
                errors.push(&item.signature.ident, &rule.help(help));
                None
            }
            Ok(item) if item.is_declared() => {
                let name = &item.signature.ident;
                let rule = Rule::new(
                    "declared_already",
                    format!("`{name}` is a background task already, by the attribute above"),
                );
                let help = format!(
                    "write the name `{ATTRIBUTE}` in both, so that they know of each other"
                );
                errors.push(name, &rule.help(help));
                None
            }
            Ok(item) => Some(item),
            Err(error) => {
                match other_item(tokens) {
                    Some((keyword, what)) => {
                        let rule = Rule::new(
                            "not_a_function",
                            format!("`#[{attribute}]` is for functions, not for {what}"),
                        );
                        errors.push(&keyword, &rule.help("write it above an `async fn`"));
                    }
                    None => errors.push_syn(error),
                }
                None
            }
        }
    }

    /// Whether an attribute above this one declared the function already.
    fn is_declared(&self) -> bool {
        let mut allowing = self
            .attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("allow"))
            .peekable();
        if allowing.peek().is_none() {
            return false;
        }
        let mark = declared().to_token_stream().to_string();
        allowing.any(|attribute| attribute.to_token_stream().to_string() == mark)
    }

    /// Takes away the attributes whose path ends with `name`. One that is ours under another name
    /// cannot be told from others; it finds a mark when it is expanded.
    pub(crate) fn strip(&mut self, name: &str) -> Vec<Attribute> {
        let ends = |attribute: &Attribute| {
            let last = attribute.path().segments.last();
            last.is_some_and(|segment| segment.ident == name)
        };
        let (stripped, kept) = std::mem::take(&mut self.attributes)
            .into_iter()
            .partition(ends);
        self.attributes = kept;
        if name == ATTRIBUTE && self.attributes.iter().any(may_be_ours) {
            self.attributes.push(declared());
        }
        stripped
    }

    /// The doc comment, without the space before each line.
    pub(crate) fn description(&self) -> Option<String> {
        let lines: Vec<String> = self.attributes.iter().filter_map(doc_line).collect();
        let text = lines.join("\n");
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Whether an attribute that is left may be ours under another name, to be expanded next.
fn may_be_ours(attribute: &Attribute) -> bool {
    const NOT_OURS: [&str; 12] = [
        "allow",
        "cfg",
        "cfg_attr",
        "deny",
        "deprecated",
        "doc",
        "expect",
        "forbid",
        "inline",
        "must_use",
        "track_caller",
        "warn",
    ];
    let known = |known: &&str| attribute.path().is_ident(known);
    matches!(attribute.meta, Meta::List(_)) && !NOT_OURS.iter().any(known)
}

/// Says nothing to the compiler; says to an attribute below that the function is declared.
fn declared() -> Attribute {
    parse_quote!(#[allow(clippy::unused_async, reason = "declared as a background task")])
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(doc) = &attribute.meta else {
        return None;
    };
    let Expr::Lit(ExprLit {
        lit: Lit::Str(line),
        ..
    }) = &doc.value
    else {
        return None;
    };
    let line = doc.path.is_ident("doc").then(|| line.value())?;
    Some(line.strip_prefix(' ').unwrap_or(&line).to_owned())
}

/// The keyword of an item that is no function, and what to call it.
fn other_item(tokens: &TokenStream) -> Option<(TokenTree, &'static str)> {
    let mut trees = tokens.clone().into_iter().peekable();
    while let Some(tree) = trees.next() {
        let TokenTree::Ident(word) = &tree else {
            continue;
        };
        let what = match word.to_string().as_str() {
            // `const fn`, `const unsafe fn`, …
            "fn" | "async" | "unsafe" | "extern" => return None,
            "struct" => "a struct",
            "enum" => "an enum",
            "union" => "a union",
            "mod" => "a module",
            "trait" => "a trait",
            "impl" => "an `impl`",
            "static" => "a static",
            "const" => {
                let next = trees.peek();
                let keyword =
                    |word: &str| matches!(next, Some(TokenTree::Ident(next)) if next == word);
                if ["fn", "async", "unsafe", "extern"].into_iter().any(keyword) {
                    return None;
                }
                "a constant"
            }
            "type" => "a type",
            "use" => "an import",
            "macro_rules" => "a macro",
            _ => continue,
        };
        return Some((tree, what));
    }
    None
}
