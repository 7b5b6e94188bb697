//! `#[background_condition]`: the function, a type of its name, and its registration.

use bgtask_model::Rule;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::FnArg;
use syn::spanned::Spanned;

use crate::errors::Errors;
use crate::expand;
use crate::item::Item;
use crate::path::generated;
use crate::settings::Settings;
use crate::signature::{self, Output, Shape};

const ATTRIBUTE: &str = "background_condition";

pub(crate) fn background_condition(arguments: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let settings = Settings::read(arguments, &["crate"], &mut errors);
    let Some(item) = Item::read(&tokens, ATTRIBUTE, &mut errors) else {
        let errors = errors.tokens();
        return quote!(#tokens #errors);
    };
    check(&item, &mut errors);
    let function = expand::function(&item);
    let name = &item.signature.ident;
    if item.signature.receiver().is_some() {
        let errors = errors.tokens();
        return quote!(#function #errors);
    }
    let doc = format!(" The condition `{name}` as a type.");
    let handle = expand::handle(doc, &item.visibility, name);
    let qualified = expand::qualified(name);
    let private = settings.runtime.private(name.span());
    let span = generated(name.span());
    let named = quote_spanned! {span=>
        impl #private::ConditionType for #name {
            const NAME: &'static ::core::primitive::str = #qualified;
        }
    };
    let registration = errors.is_empty().then(|| registration(&item, &settings));
    let errors = errors.tokens();
    quote!(#function #handle #named #registration #errors)
}

fn check(item: &Item, errors: &mut Errors) {
    let signature = &item.signature;
    signature::check(signature, signature::CONDITION, errors);
    if signature.asyncness.is_none() {
        let rule = Rule::new(
            "condition_not_async",
            "a background condition is an `async fn`: it waits for changes and reports them",
        );
        errors.push(&signature.fn_token, &rule.help("add `async`"));
    }
    let typed: Vec<_> = signature
        .inputs
        .iter()
        .filter(|input| matches!(input, FnArg::Typed(_)))
        .collect();
    match typed.as_slice() {
        [_] => {}
        [] if signature.receiver().is_some() => {}
        [] => {
            let rule = Rule::new(
                "condition_without_reporter",
                "a background condition takes a `ConditionReporter`",
            );
            let name = &signature.ident;
            let help = format!("write `{name}(report: ConditionReporter)`");
            errors.push(name, &rule.help(help));
        }
        [_, more, ..] => {
            let rule = Rule::new(
                "condition_parameters",
                "a background condition takes one parameter, a `ConditionReporter`",
            );
            errors.push(more, &rule.help("remove this one"));
        }
    }
}

fn registration(item: &Item, settings: &Settings) -> TokenStream {
    let shape = Shape::of(&item.signature);
    let name = &shape.name;
    let qualified = expand::qualified(name);
    let output = expand::output(&shape);
    let at = match &shape.output {
        Output::Nothing => name.span(),
        Output::Value(ty) | Output::Result { ty, .. } | Output::Alias(ty) => ty.span(),
    };
    let returned = settings.runtime.private(at);
    let private = settings.runtime.private(Span::call_site());
    let call_span = generated(name.span());
    // A parameter of another type is shown at that type.
    let parameter = item
        .signature
        .inputs
        .first()
        .map_or(name.span(), FnArg::span);
    let report = Ident::new("report", generated(parameter));
    let call = quote_spanned!(call_span=> #name(#report));
    let returned_span = generated(at);
    let future = quote_spanned!(returned_span=> #returned::condition_future::<#output, _>(#call));
    let span = generated(Span::call_site());
    quote_spanned! {span=>
        #[allow(clippy::all, clippy::pedantic)]
        const _: () = {
            fn __bgtask_watch(
                report: #private::ConditionReporter,
            ) -> #private::ConditionFuture {
                #future
            }
            #private::submit! {
                #private::LinkedCondition::new(#qualified, __bgtask_watch)
            }
        };
    }
}
