//! The annotated function, kept as the tokens the user wrote; only the signature is parsed.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Signature, Visibility};

use crate::errors::Errors;

/// A function.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// Half-typed bodies too: nothing here looks into it.
    body: TokenStream,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

impl Item {
    /// The function in `tokens`; `None` if it is something else, which was pushed.
    pub(crate) fn read(tokens: &TokenStream, attribute: &str, errors: &mut Errors) -> Option<Self> {
        match syn::parse2(tokens.clone()) {
            Ok(item) => Some(item),
            Err(error) => {
                match other_item(tokens) {
                    Some((keyword, what)) => errors.push(
                        &keyword,
                        format!(
                            "`#[{attribute}]` is for functions, not for {what}\n  help: write it above an `async fn`"
                        ),
                    ),
                    None => errors.push_syn(error),
                }
                None
            }
        }
    }

    /// Takes away the attributes whose path ends with `name`.
    pub(crate) fn strip(&mut self, name: &str) -> Vec<Attribute> {
        let ends = |attribute: &Attribute| {
            let last = attribute.path().segments.last();
            last.is_some_and(|segment| segment.ident == name)
        };
        let (stripped, kept) = std::mem::take(&mut self.attributes)
            .into_iter()
            .partition(ends);
        self.attributes = kept;
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
    for tree in tokens.clone() {
        let TokenTree::Ident(word) = &tree else {
            continue;
        };
        let what = match word.to_string().as_str() {
            "fn" => return None,
            "struct" => "a struct",
            "enum" => "an enum",
            "union" => "a union",
            "mod" => "a module",
            "trait" => "a trait",
            "impl" => "an `impl`",
            "static" => "a static",
            "type" => "a type",
            "use" => "an import",
            "macro_rules" => "a macro",
            _ => continue,
        };
        return Some((tree, what));
    }
    None
}
