//! `quote_spanned!` for what every attribute writes. `quote!` makes a stream of each piece, and to
//! put a stream into another one is a call of the compiler, which the user's build pays for; a piece
//! here is written where it belongs, and only then.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Code that is not written yet.
pub(crate) struct Piece<W>(W);

impl<W: Fn(&mut TokenStream)> ToTokens for Piece<W> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        (self.0)(tokens);
    }
}

/// The code that `write` appends.
pub(crate) fn piece<W: Fn(&mut TokenStream)>(write: W) -> Piece<W> {
    Piece(write)
}

/// `code!(span=> fn #name() {})` is that code as a [`Piece`], shown at `span`. It owns what it
/// names. It has no raw words and no repetitions; for the latter there are loops in a [`piece`].
macro_rules! code {
    ($span:expr=> $($code:tt)*) => {{
        let span = $span;
        $crate::code::piece(move |out| $crate::code::code!(@each out span $($code)*))
    }};
    (@each $out:ident $span:ident $($code:tt)*) => {
        $crate::code::code!(@pairs $out $span [@ $($code)*] [$($code)* @])
    };
    // A token and the one before it.
    (@pairs $out:ident $span:ident [$($before:tt)*] [$($here:tt)*]) => {{
        $($crate::code::code!(@one $out $span $before $here);)*
    }};
    (@one $out:ident $span:ident $before:tt @) => {};
    (@one $out:ident $span:ident $before:tt #) => {};
    (@one $out:ident $span:ident # $name:ident) => {
        ::quote::ToTokens::to_tokens(&$name, $out)
    };
    (@one $out:ident $span:ident # [$($code:tt)*]) => {{
        $crate::code::punct("#", $span, $out);
        $crate::code::code!(@group $out $span Bracket $($code)*)
    }};
    (@one $out:ident $span:ident $before:tt ($($code:tt)*)) => {
        $crate::code::code!(@group $out $span Parenthesis $($code)*)
    };
    (@one $out:ident $span:ident $before:tt {$($code:tt)*}) => {
        $crate::code::code!(@group $out $span Brace $($code)*)
    };
    (@one $out:ident $span:ident $before:tt [$($code:tt)*]) => {
        $crate::code::code!(@group $out $span Bracket $($code)*)
    };
    (@one $out:ident $span:ident $before:tt $lifetime:lifetime) => {
        $crate::code::lifetime(stringify!($lifetime), $span, $out)
    };
    (@one $out:ident $span:ident $before:tt $word:ident) => {
        $crate::code::word(stringify!($word), $span, $out)
    };
    (@one $out:ident $span:ident $before:tt _) => {
        $crate::code::word("_", $span, $out)
    };
    (@one $out:ident $span:ident $before:tt $literal:literal) => {
        compile_error!("give a literal a name, and write `#name`")
    };
    (@one $out:ident $span:ident $before:tt $punct:tt) => {
        $crate::code::punct(stringify!($punct), $span, $out)
    };
    (@group $out:ident $span:ident $delimiter:ident) => {
        $crate::code::group(::proc_macro2::Delimiter::$delimiter, |_| (), $span, $out)
    };
    (@group $out:ident $span:ident $delimiter:ident $($code:tt)+) => {
        $crate::code::group(
            ::proc_macro2::Delimiter::$delimiter,
            |out| $crate::code::code!(@each out $span $($code)+),
            $span,
            $out,
        )
    };
}
pub(crate) use code;

pub(crate) fn word(text: &str, span: Span, out: &mut TokenStream) {
    out.extend(Some(TokenTree::Ident(Ident::new(text, span))));
}

/// `text` without the mark before it is a word.
pub(crate) fn lifetime(text: &str, span: Span, out: &mut TokenStream) {
    one_punct('\'', Spacing::Joint, span, out);
    word(&text[1..], span, out);
}

/// All of its characters are ASCII.
pub(crate) fn punct(text: &str, span: Span, out: &mut TokenStream) {
    let mut marks = text.as_bytes();
    while let [mark, rest @ ..] = marks {
        let spacing = if rest.is_empty() {
            Spacing::Alone
        } else {
            Spacing::Joint
        };
        one_punct(char::from(*mark), spacing, span, out);
        marks = rest;
    }
}

fn one_punct(mark: char, spacing: Spacing, span: Span, out: &mut TokenStream) {
    let mut punct = Punct::new(mark, spacing);
    punct.set_span(span);
    out.extend(Some(TokenTree::Punct(punct)));
}

pub(crate) fn group(
    delimiter: Delimiter,
    write: impl FnOnce(&mut TokenStream),
    span: Span,
    out: &mut TokenStream,
) {
    let mut inside = TokenStream::new();
    write(&mut inside);
    let mut group = Group::new(delimiter, inside);
    group.set_span(span);
    out.extend(Some(TokenTree::Group(group)));
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn it_writes_what_quote_writes() {
        let name = &Ident::new("sync", Span::call_site());
        let (text, nothing) = ("a", &piece(|_| ()));
        let ours = code! {Span::call_site()=>
            #[doc = #text]
            impl<'a> a::B for #name {
                fn c(_: &'a mut T, d: [&'_ u8; N]) -> #name { #nothing .. => ..= |a| a && !#text; }
            }
        };
        let theirs = quote! {
            #[doc = #text]
            impl<'a> a::B for #name {
                fn c(_: &'a mut T, d: [&'_ u8; N]) -> #name { #nothing .. => ..= |a| a && !#text; }
            }
        };
        let ours = ours.to_token_stream();
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
