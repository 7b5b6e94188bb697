//! `#[bgtask::main]`: the program's entry, which is the app's `main` or a host.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ReturnType};

use crate::errors::Errors;
use crate::item::Item;
use crate::path::{generated, located};
use crate::settings::Settings;

/// ```text
/// fn main() -> ExitCode {
///     async fn main(app: App) { … }         as written
///     run_main(Identity { … }, setup, |app| async move { Termination::report(main(app).await) })
/// }
/// ```
pub(crate) fn main(arguments: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let settings = Settings::read(arguments, &["setup", "crate"], &mut errors);
    let Some(item) = Item::read(&tokens, "bgtask::main", &mut errors) else {
        let errors = errors.tokens();
        return quote!(#tokens #errors);
    };
    check(&item, &mut errors);
    let visibility = &item.visibility;
    let name = &item.signature.ident;
    if !errors.is_empty() {
        let errors = errors.tokens();
        // `main` is there, and may not be async.
        return quote! {
            #[allow(dead_code, unused)]
            #visibility fn #name() {
                #item
            }
            #errors
        };
    }
    let at = match &item.signature.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let private = settings.runtime.private(Span::call_site());
    // All of it is shown at the return type: the one thing that may not fit.
    let inner = located(quote!(#name), at);
    let at = generated(at);
    let report = quote_spanned!(at=> ::std::process::Termination::report);
    let inner = if item.signature.inputs.is_empty() {
        quote_spanned!(at=> |_| async move { #report(#inner().await) })
    } else {
        quote_spanned!(at=> |app| async move { #report(#inner(app).await) })
    };
    let span = generated(Span::call_site());
    let setup = settings.setup.as_ref().map_or_else(
        || quote_spanned!(span=> #private::no_setup),
        |path| quote!(#path),
    );
    quote_spanned! {span=>
        #visibility fn #name() -> ::std::process::ExitCode {
            #[allow(clippy::unused_async)]
            #item
            #private::run_main(
                #private::Identity {
                    package: ::core::env!("CARGO_PKG_NAME"),
                    binary: ::core::option_env!("CARGO_BIN_NAME"),
                    version: ::core::env!("CARGO_PKG_VERSION"),
                },
                #setup,
                #inner,
            )
        }
    }
}

fn check(item: &Item, errors: &mut Errors) {
    let signature = &item.signature;
    if signature.asyncness.is_none() {
        errors.push(
            &signature.fn_token,
            "`#[bgtask::main]` runs an `async fn`\n  help: add `async`",
        );
    }
    if let Some(generic) = signature.generics.params.first() {
        errors.push(generic, "`main` is not generic\n  help: remove it");
    }
    let mut inputs = signature.inputs.iter();
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        errors.push(receiver, "`main` has no `self`\n  help: take `app: App`");
    }
    if let Some(more) = inputs.nth(1) {
        errors.push(
            more,
            "`main` takes the `App` and nothing else\n  help: what it needs is made in `setup`",
        );
    }
}
