//! `#[bgtask::main]`: the program's entry, which is the app's `main` or a host.

use bgtask_model::Rule;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ReturnType};

use crate::errors::Errors;
use crate::item::Item;
use crate::path::{generated, located};
use crate::settings::Settings;

const ATTRIBUTE: &str = "bgtask::main";

/// ```text
/// fn main() -> ExitCode {
///     async fn main(app: App) { … }         as written
///     run_main(Identity { … }, setup, |app| async move { Termination::report(main(app).await) })
/// }
/// ```
pub(crate) fn main(arguments: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let settings = Settings::read(arguments, &["setup", "crate"], &mut errors);
    let Some(mut item) = Item::read(&tokens, ATTRIBUTE, &mut errors) else {
        let errors = errors.tokens();
        return quote!(#tokens #errors);
    };
    for other in item.strip("main") {
        let rule = Rule::new(
            "main_twice",
            format!("`#[{ATTRIBUTE}]` makes this `main` already"),
        );
        errors.push(
            &other,
            &rule.help("remove this attribute: the app brings its own runtime"),
        );
    }
    check(&item, &mut errors);
    let visibility = &item.visibility;
    let name = &item.signature.ident;
    if item.signature.receiver().is_some() {
        let errors = errors.tokens();
        return quote!(#item #errors);
    }
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
        let app = item
            .signature
            .inputs
            .first()
            .map_or(name.span(), FnArg::span);
        let app = Ident::new("app", generated(app));
        quote_spanned!(at=> |#app| async move { #report(#inner(#app).await) })
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
        let rule = Rule::new(
            "main_not_async",
            format!("`#[{ATTRIBUTE}]` runs an `async fn`"),
        );
        errors.push(&signature.fn_token, &rule.help("add `async`"));
    }
    if let Some(generic) = signature.generics.params.first() {
        let rule = Rule::new("main_generic", "`main` is not generic");
        errors.push(generic, &rule.help("remove it"));
    }
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        let rule = Rule::new("main_receiver", "`main` has no `self`");
        errors.push(receiver, &rule.help("take `app: App`"));
    }
    if let Some(more) = signature.inputs.iter().nth(1) {
        let rule = Rule::new("main_parameters", "`main` takes the `App` and nothing else");
        errors.push(more, &rule.help("what it needs is made in `setup`"));
    }
}
